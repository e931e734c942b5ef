"""Modules and parameters are read as PyTorch's own generators give them."""

from __future__ import annotations

from torch import nn

from sevensteps.observe.modules import modules_of, parameter_ids


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 3)))
        self.again = self.body[1]
        self.head = nn.Linear(3, 1)
        self.head.weight = nn.Parameter(self.head.weight.detach())
        self.register_module("none", None)
        self.scale = nn.Parameter(self.head.bias.detach())
        self.tied = self.head


def test_modules_and_parameters_are_those_of_pytorch() -> None:
    for network in (Shared(), nn.TransformerDecoderLayer(8, 2, 8), nn.Linear(2, 2), nn.LSTM(2, 2)):
        assert modules_of(network) == list(network.named_modules())
        assert parameter_ids(network) == {id(p) for p in network.parameters()}


class Renamed(nn.Linear):
    def named_parameters(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        yield "other", self.bias


def test_a_network_that_names_its_parameters_itself_is_asked() -> None:
    network = Renamed(2, 2)
    assert parameter_ids(network) == {id(network.bias)}
