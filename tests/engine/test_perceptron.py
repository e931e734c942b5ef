"""Rosenblatt's rule, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from sevensteps.engine import PerceptronRule
from sevensteps.engine.modules import Dropout, Neuron, Powers, Step
from sevensteps.errors import ArgumentError, ShapeError
from sevensteps.steps.loss import mean_absolute_error

CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND = torch.tensor([[0.0], [0.0], [0.0], [1.0]])


def neuron(bias: str, w0: float, w1: float, w2: float) -> nn.Sequential:
    network = nn.Sequential(nn.Flatten(), Neuron(2, bias), Step())
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[w1, w2] if bias == "b" else [w0, w1, w2]]))
        if bias == "b":
            network[1].bias.fill_(w0)
    return network


@pytest.mark.parametrize("bias", ["b", "w0"])
def test_the_correction_by_hand(bias: str) -> None:
    # w0 = .5, w1 = w2 = 1: all four answers are 1, three of them wrong: mean error = 3/4, mean
    # error·x = ((0+0+1)/4, (0+1+0)/4)
    engine = PerceptronRule(neuron(bias, 0.5, 1.0, 1.0), mean_absolute_error())
    assert engine.predict(CORNERS).tolist() == [[1], [1], [1], [1]]
    assert engine.loss(AND).tolist() == [1, 1, 1, 0]
    assert engine.gradient().tolist() == ([0.25, 0.25, 0.75] if bias == "b" else [0.75, 0.25, 0.25])
    engine.predict(CORNERS)
    engine.loss(AND)
    assert engine.gradient(share=2.0, add=True).tolist() == (
        [0.75, 0.75, 2.25] if bias == "b" else [2.25, 0.75, 0.75]
    )


@pytest.mark.parametrize("bias", ["b", "w0"])
def test_it_learns_and_sample_by_sample_as_in_1958(bias: str) -> None:
    engine = PerceptronRule(neuron(bias, 0.0, 0.0, 0.0), mean_absolute_error())
    w0, w1, w2 = 0.0, 0.0, 0.0
    for _ in range(10):
        for x, y in zip(CORNERS, AND, strict=True):
            answer = float(w0 + w1 * float(x[0]) + w2 * float(x[1]) >= 0)
            wrong = float(y) - answer
            w0, w1, w2 = w0 + wrong, w1 + wrong * float(x[0]), w2 + wrong * float(x[1])
            engine.predict(x[None])
            engine.loss(y[None])
            engine.parameters.sub_(engine.gradient())
            assert engine.parameters.tolist() == ([w1, w2, w0] if bias == "b" else [w0, w1, w2])
    assert engine.predict(CORNERS).tolist() == AND.tolist()
    engine.loss(AND)
    assert (engine.gradient() == 0).all()


def test_several_neurons_and_powers_of_the_input(build: Any) -> None:
    network = build(lambda: nn.Sequential(Powers(2), nn.Linear(4, 3), Step()))
    engine = PerceptronRule(network, mean_absolute_error())
    x, y = (
        torch.linspace(-1, 2, 10, dtype=torch.float64).view(5, 2),
        torch.ones(5, 3, dtype=torch.float64),
    )
    wrong = engine.predict(x) - y
    engine.loss(y)
    engine.gradient()
    seen = Powers(2)(x)
    assert torch.allclose(network[1].weight.grad, (wrong[:, :, None] * seen[:, None, :]).mean(0))
    assert torch.allclose(network[1].bias.grad, wrong.mean(0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(nn.Linear(2, 1)),
        lambda: nn.Sequential(Step()),
        lambda: nn.Sequential(nn.Linear(2, 1), Step(), nn.Linear(1, 1)),
        lambda: nn.Sequential(nn.Linear(2, 3), Step(), nn.Linear(3, 1), Step()),
        lambda: nn.Sequential(Dropout(0.5), Neuron(2), Step()),
        lambda: nn.Sequential(Neuron(2), nn.Tanh(), Step()),
    ],
)
def test_other_networks_are_refused(make: Callable[[], nn.Module], build: Any) -> None:
    with pytest.raises(
        ArgumentError,
        match=r"one weighted sum before one step activation, not .*; use neuron\(activation=",
    ):
        PerceptronRule(build(make), mean_absolute_error())


def test_hooks_are_refused() -> None:
    network = neuron("b", 0, 0, 0)
    network[1].register_forward_hook(lambda module, inputs, output: output + 1)
    with pytest.raises(ArgumentError, match="hooks"):
        PerceptronRule(network, mean_absolute_error())


def test_targets_of_another_shape_are_refused() -> None:
    class Lenient(mean_absolute_error):
        def check(self, output: Any, target: Any) -> None:
            return

        def value(self, output: Any, target: Any) -> Any:
            return output[:, 0]

    engine = PerceptronRule(neuron("b", 0, 1, 1), Lenient())
    engine.predict(CORNERS)
    engine.loss(AND[:, 0])
    with pytest.raises(ShapeError, match=r"answers \[4, 1\] against targets \[4\]"):
        engine.gradient()
