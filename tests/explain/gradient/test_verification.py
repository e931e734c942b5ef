"""Two other ways to a gradient, against functions whose derivative is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sevensteps.explain.gradient.verification import (
    autograd_gradients,
    central_difference,
    relative_difference,
)
from sevensteps.steps.loss import mean_squared_error

X, Y = torch.tensor([[1.0], [2], [4]]).double(), torch.tensor([[3.0], [1], [2]]).double()


class Line(nn.Module):
    """y = w x, with a parameter that nothing depends on and one that is frozen."""

    def __init__(self, w: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([w], dtype=torch.float64))
        self.unused = nn.Parameter(torch.ones(2).double())
        self.frozen = nn.Parameter(torch.ones(1).double(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w * x


@pytest.mark.parametrize("w", [0.0, 0.7, -250.0])
def test_both_are_the_derivative_of_a_square(w: float) -> None:
    network, loss = Line(w), mean_squared_error()
    exact = float((2 * (w * X - Y) * X).mean())  # d/dw of the mean of (w x − y)²
    gradients = autograd_gradients(network, loss, X, Y)
    assert set(gradients) == {"w", "unused"}
    assert float(gradients["w"]) == pytest.approx(exact, rel=1e-12)
    assert gradients["unused"].tolist() == [0, 0]
    assert central_difference(network, loss, X, Y, "w", (0,)) == pytest.approx(exact, rel=1e-6)
    assert central_difference(network, loss, X, Y, "unused", (1,)) == 0


def test_nothing_of_the_network_changes() -> None:
    network, loss = Line(0.5), mean_squared_error()
    autograd_gradients(network, loss, X, Y)
    central_difference(network, loss, X, Y, "w", (0,))
    assert float(network.w.detach()) == 0.5
    assert all(p.grad is None for p in network.parameters())


def test_differences_are_shares_of_the_larger_number() -> None:
    assert relative_difference(0.0, 0.0) == 0
    assert relative_difference(1.0, 0.0) == relative_difference(0.0, -2.0) == 1
    assert relative_difference(-4.0, -3.0) == 0.25
