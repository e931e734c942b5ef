"""Blocks of K networks against each network's own modules and PyTorch's autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine import layers as written
from sevensteps.engine.ensemble.blocks import (
    BatchedLayer,
    BatchedLinear,
    PerNetworkLayers,
    blocks,
)
from sevensteps.engine.layer import Layer
from sevensteps.errors import ArgumentError

pytestmark = pytest.mark.draws

K = 3


def chains(make: Callable[[], list[Any]], of: Callable[[Any], Layer]) -> list[list[Layer]]:
    """The written layers of K networks, each parameter with a gradient to write to."""
    networks = [make() for _ in range(K)]
    for network in networks:
        for module in network:
            for parameter in module.parameters():
                parameter.grad = torch.zeros_like(parameter)
    return [[of(module) for module in network] for network in networks]


WRITTEN = {
    nn.Linear: written.Linear,
    nn.Conv2d: written.Conv2d,
    nn.BatchNorm2d: written.BatchNorm,
    nn.MaxPool2d: written.MaxPool2d,
    nn.Flatten: written.Flatten,
}


def layer_of(module: Any) -> Layer:
    return WRITTEN[type(module)](module)  # type: ignore[abstract]


def columns(tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """One parameter of all networks and the place of its gradients, [K, …]."""
    return torch.stack([t.detach() for t in tensors]), torch.zeros(K, *tensors[0].shape)


@pytest.mark.parametrize("own", [False, True])
def test_linear_layers_of_all_networks_are_one_product(own: bool) -> None:
    modules = [[nn.Linear(4, 2)] for _ in range(K)]
    (block,) = blocks(chains(iter(modules).__next__, layer_of), columns)
    assert isinstance(block, BatchedLinear)
    x = torch.randn(K, 5, 4) if own else torch.randn(5, 4)
    xs = [(x[k] if own else x).clone().requires_grad_() for k in range(K)]
    expected = [module(x_k) for (module,), x_k in zip(modules, xs, strict=True)]
    torch.testing.assert_close(block.forward(x, own), torch.stack(expected))
    g = torch.randn(K, 5, 2)
    dx = block.backward(g.clone(), False, True)
    for k, ((module,), x_k) in enumerate(zip(modules, xs, strict=True)):
        slopes = torch.autograd.grad(expected[k], [x_k, module.weight, module.bias], g[k])
        found = dx[k], block.columns["weight"][1][k], block.columns["bias"][1][k]  # type: ignore[index]
        for a, b in zip(found, slopes, strict=True):
            torch.testing.assert_close(a, b)


def test_what_runs_network_by_network_goes_on_to_the_next_linear_layer() -> None:
    def make() -> list[Any]:
        return [nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2)]

    kinds = [type(block) for block in blocks(chains(make, layer_of), columns)]
    assert kinds == [PerNetworkLayers, BatchedLinear]
    kinds = [type(b) for b in blocks(chains(lambda: make()[1:], layer_of), columns)]
    assert kinds == [BatchedLayer, BatchedLayer, BatchedLinear]


@pytest.mark.parametrize("own", [False, True])
def test_layers_without_parameters_are_called_once(own: bool) -> None:
    block = BatchedLayer(layer_of(nn.MaxPool2d(2)), in_a_row=True)
    x = torch.randn(K, 2, 1, 4, 4) if own else torch.randn(2, 1, 4, 4)
    pool = nn.MaxPool2d(2)
    expected = torch.stack([pool(x_k) for x_k in x]) if own else pool(x)
    assert torch.equal(block.forward(x, own), expected)


def test_layers_across_samples_cannot_be_side_by_side() -> None:
    with pytest.raises(ArgumentError, match="works across samples"):
        BatchedLayer(layer_of(nn.Flatten(0)), in_a_row=True)
