"""Factors of the chain rule are named where their numbers stand in the network."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from sevensteps.engine.modules import Neuron
from sevensteps.explain.gradient.factors import factor_in_words, multiplied_input
from sevensteps.explain.gradient.paths import Chain
from sevensteps.steps.loss import mean_squared_error

pytestmark = pytest.mark.draws


def chain(network: nn.Module, x: torch.Tensor) -> Chain:
    network = network.double().eval()
    x = x.double()
    with torch.no_grad():
        y = network(x)
    return Chain(network, mean_squared_error(), x, y + 1)


def test_a_weight_is_named_by_its_place() -> None:
    dense = chain(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), torch.ones(1, 3))
    assert factor_in_words(dense, 2, 1, 3) == "2.weight[1,3]"
    assert multiplied_input(dense, "2.weight", (1, 3)) == (3, "")
    assert multiplied_input(dense, "2.bias", (1,))[0] is None
    shifted = chain(nn.Sequential(Neuron(3, "w0")), torch.ones(1, 3))
    assert factor_in_words(shifted, 0, 0, 1) == "0.weight[0,2]"  # w0 stands first
    assert multiplied_input(shifted, "0.weight", (0, 0)) == (None, "x0 = 1: w0 is the bias")
    assert multiplied_input(shifted, "0.weight", (0, 2)) == (1, "")


def test_the_weight_of_a_filter_is_the_one_between_two_places() -> None:
    conv = nn.Conv2d(2, 3, 3, stride=2, padding=1)
    network = chain(nn.Sequential(conv, nn.Flatten(), nn.Linear(12, 1)), torch.randn(1, 2, 4, 4))
    x = network.inputs[0].clone().requires_grad_()
    output = conv(x).flatten()
    for unit in range(12):
        (slopes,) = torch.autograd.grad(output[unit], x, retain_graph=True)
        for before in slopes.flatten().nonzero().flatten().tolist():
            words = factor_in_words(network, 0, unit, before)
            place = re.fullmatch(r"0\.weight\[(\d+),(\d+),(\d+),(\d+)\]", words)
            assert place is not None
            weight = conv.weight.detach()[tuple(map(int, place.groups()))]
            assert float(weight) == pytest.approx(float(slopes.flatten()[before]))


@pytest.mark.parametrize(
    ("module", "x", "words"),
    [
        (nn.ReLU(), 2.0, "ReLU: 2 > 0"),
        (nn.ReLU(), -2.0, "ReLU: off, -2 < 0"),
        (nn.ReLU(), 0.0, "ReLU: off, exactly 0"),
        (nn.BatchNorm1d(1), 1.0, "γ / √(σ² + ε)"),
    ],
)
def test_a_slope_says_where_it_was_taken(module: nn.Module, x: float, words: str) -> None:
    assert factor_in_words(chain(nn.Sequential(module), torch.full((1, 1), x)), 0, 0, 0) == words


def test_a_sigmoid_s_slope_is_told_by_its_output() -> None:
    sigmoid = chain(nn.Sequential(nn.Sigmoid()), torch.zeros(1, 1))
    assert factor_in_words(sigmoid, 0, 0, 0).endswith(", y = 0.5")
