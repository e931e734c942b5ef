"""A network as a chain of layers, and inputs checked against its first one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine.sequence import InputCheck, has_hooks, named_layers
from sevensteps.errors import ShapeError

pytestmark = pytest.mark.draws


def test_sequentials_are_opened_and_a_layer_used_twice_stands_twice() -> None:
    tanh = nn.Tanh()
    inner = nn.Sequential(nn.Linear(2, 2), tanh)
    network = nn.Sequential(nn.Linear(3, 2), tanh, inner)
    chain = named_layers(network)
    assert [name for name, _ in chain] == ["0", "1", "2.0", "2.1"]
    assert [module for _, module in chain] == [network[0], tanh, inner[0], tanh]
    assert named_layers(tanh) == [("Tanh", tanh)]


def test_a_sequential_that_does_more_than_its_layers_is_one_layer() -> None:
    class Own(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + x

    own, hooked = Own(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2))
    hooked.register_forward_hook(lambda module, x, y: y * 2)
    assert [name for name, _ in named_layers(nn.Sequential(own, hooked))] == ["0", "1"]


def test_hooks_and_a_forward_of_its_own_are_noticed() -> None:
    layer = nn.Linear(2, 2)
    assert not has_hooks(layer)
    handle = layer.register_full_backward_hook(lambda module, inputs, outputs: None)
    assert has_hooks(layer)
    handle.remove()
    assert not has_hooks(layer)
    layer.forward = lambda x: x  # type: ignore[method-assign]
    assert has_hooks(layer)


DENSE = nn.Sequential(nn.Linear(4, 2, device="meta"))
FLAT = nn.Sequential(nn.Flatten(), nn.Linear(12, 2, device="meta"))
CONV = nn.Sequential(nn.Conv2d(3, 2, 1, device="meta"))


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (DENSE, (5, 4)),
        (DENSE, (5, 7, 4)),
        (FLAT, (5, 3, 4)),
        (FLAT, (1, 12)),
        (CONV, (2, 3, 5, 5)),
    ],
)
def test_inputs_that_fit_pass(network: nn.Module, shape: tuple[int, ...]) -> None:
    network(torch.empty(shape, device="meta"))  # the oracle: PyTorch takes them
    InputCheck(network).check(torch.zeros(shape), torch.zeros(1))


@pytest.mark.parametrize(
    ("network", "x", "message"),
    [
        (DENSE, torch.zeros(4), "give at least one sample"),
        (DENSE, torch.zeros(0, 4), "give at least one sample"),
        (DENSE, torch.zeros(5, 3), "a Linear over 4 features; give 4 features a sample$"),
        (DENSE, torch.zeros(5, 2, 2), r"begin the network with nn\.Flatten\(\)$"),
        (FLAT, torch.zeros(5, 3, 3), "a Linear over 12 features; give 12 features a sample$"),
        (CONV, torch.zeros(5, 1, 4, 4), r"over 3 channels; give \[samples, 3, height, width\]$"),
        (DENSE, torch.zeros(5, 4).double(), r"computes in torch\.float32; use x\.to"),
        (DENSE, torch.zeros(5, 4).long(), r"are torch\.int64"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_the_fix(
    network: nn.Module, x: Tensor, message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        InputCheck(network).check(x, torch.zeros(1))
