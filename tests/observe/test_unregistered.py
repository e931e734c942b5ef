"""Parameters that a network has and has not registered are found wherever it has them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sevensteps.observe.unregistered import unregistered_parameters

pytestmark = pytest.mark.draws


class Holder(nn.Module):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.out = nn.Linear(2, 2)
        self.value = value


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Holder({"a": [nn.Linear(1, 1, bias=False)]})


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ([nn.Linear(1, 2)], ["value[0].weight", "value[0].bias"]),
        (({"a": nn.Linear(1, 2, bias=False)},), ["value[0]['a'].weight"]),
        (nn.ParameterList([torch.ones(2)]), []),
        (torch.ones(2, requires_grad=True), ["value"]),
        (nn.Parameter(torch.ones(2)) * 0.5, ["value"]),
        (nn.Parameter(torch.ones(2)).double(), ["value"]),
        (torch.ones(2), []),
        ("layers", []),
        ([nn.Linear(1, 2).requires_grad_(False)], []),
    ],
)
def test_plain_attributes(value: Any, places: list[str]) -> None:
    assert list(unregistered_parameters(Holder(value))) == places


def test_deep_modules_and_lists_of_what_is_registered() -> None:
    assert list(unregistered_parameters(Block())) == ["inner.value['a'][0].weight"]
    network = Holder(None)
    network.value = [network.out, network]  # a second way to what is registered
    assert unregistered_parameters(network) == {}
    # an output that is remembered leads to more than one parameter, and to registered ones
    network.value = network.out(torch.ones(1, 2))
    assert unregistered_parameters(network) == {}
    network.value = None
    assert unregistered_parameters(network) == {}
