"""Which tensors are weights and biases, and how much work a network is, counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine.modules import Neuron
from sevensteps.engine.parameters import (
    activation_count,
    biases,
    multiplications,
    output_of,
    reset,
    weights,
)

pytestmark = pytest.mark.draws


def shapes(tensors: list[Tensor]) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in tensors]


def test_weights_have_two_axes_or_more_and_norms_are_left_out() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    assert shapes(weights(network)) == [(4, 1, 3, 3), (2, 16)]
    assert shapes(biases(network)) == [(4,), (2,)]
    network[0].weight.requires_grad_(False)
    assert shapes(weights(network)) == [(2, 16)]


def test_the_bias_column_of_a_neuron_is_no_weight() -> None:
    neuron = Neuron(3, bias="w0")
    with torch.no_grad():
        neuron.weight.copy_(torch.arange(4.0))
    (weight,), (bias,) = weights(neuron), biases(neuron)
    assert (weight.tolist(), bias.tolist()) == ([[1, 2, 3]], [0])


def test_a_tied_parameter_is_there_once() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    assert shapes(weights(network)) == [(3, 3)]


def test_resetting_leaves_what_is_frozen() -> None:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.fill_(7)
        layer.bias.fill_(7)
        layer.bias.requires_grad_(False)
        reset(layer)
        assert layer.bias.tolist() == [7, 7]
        assert float(layer.weight.abs().max()) <= 3**-0.5  # PyTorch's default bound, 1 / √inputs
        layer.weight.fill_(7)
        layer.weight.requires_grad_(False)
        reset(layer)
        assert layer.weight.eq(7).all()


def test_the_output_of_a_layer_is_that_of_calling_it() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.ones(5, 3)
    assert torch.equal(output_of(network[1], network, x), network[0](x).tanh())


def test_multiplications_and_activations_are_those_counted_by_hand() -> None:
    dense = nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 2))
    assert multiplications(dense, (8,)) == 8 * 5 + 5 * 2
    assert activation_count(dense, (8,)) == 5 + 5 + 2
    conv = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 4 * 4, 2))
    assert multiplications(conv, (1, 6, 6)) == 4 * 9 * 16 + 64 * 2  # 16 places of each filter
    assert activation_count(conv, (1, 6, 6)) == 64 + 64 + 2


def test_counting_changes_nothing_of_the_network() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)
    )
    network[2].eval()  # which stays so
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert multiplications(network, (1, 6, 6)) == 4 * 9 * 16 + 64 * 2
    assert [module.training for module in network] == [True, True, False, True, True]
    assert network.training
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_network_from_outside_is_not_run_to_count() -> None:
    class Outside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("it was run")

    assert multiplications(Outside(), (1, 6, 6)) == 18
    assert activation_count(Outside(), (1, 6, 6)) == 0
