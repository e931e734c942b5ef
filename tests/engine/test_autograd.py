"""Any module, with what the loss does not reach at 0."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine import Autograd, FiniteDifferences
from sevensteps.steps.loss import mean_squared_error

X = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)
Y = torch.ones(4, 1, dtype=torch.float64)


class Switched(nn.Module):
    """Goes one way or the other."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.go_left = nn.Linear(3, 1), nn.Linear(3, 1), True

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = (self.left if self.go_left else self.right)(x)
        return y


def test_what_the_loss_does_not_reach_gets_0_not_what_was_there(build: Any) -> None:
    engine = Autograd(build(Switched), mean_squared_error())
    for go_left in (True, False):
        engine.network.go_left = go_left
        engine.predict(X)
        engine.loss(Y)
        engine.gradient()
        reached = {
            name: bool(engine.gradients[place].norm() > 0)
            for name, (place, _) in engine.slices.items()
        }
        assert reached == {
            "left.weight": go_left,
            "left.bias": go_left,
            "right.weight": not go_left,
            "right.bias": not go_left,
        }


def test_nothing_to_train_and_nothing_reached(build: Any) -> None:
    engine = Autograd(nn.Flatten(), mean_squared_error())
    engine.predict(X[:, :1])
    engine.loss(Y)
    assert engine.gradient().shape == (0,)

    class Constant(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :1] * 2

    unreached = Autograd(build(lambda: Constant(3, 1)), mean_squared_error())
    unreached.gradients.fill_(7.0)
    unreached.predict(X)
    unreached.loss(Y)
    assert (unreached.gradient() == 0).all()


def test_a_gradient_set_to_none_elsewhere_is_put_back(build: Any) -> None:
    engine = Autograd(build(lambda: nn.Linear(3, 1)), mean_squared_error())
    results = []
    for _ in range(2):
        engine.predict(X)
        engine.loss(Y)
        results.append(engine.gradient().clone())
        engine.network.zero_grad(set_to_none=True)
    assert torch.equal(*results)
    assert results[0].norm() > 0


def test_gradients_are_recorded_even_where_the_caller_records_none(build: Any) -> None:
    engine = Autograd(build(lambda: nn.Linear(3, 1)), mean_squared_error())
    with torch.no_grad():
        engine.predict(X)
        engine.loss(Y)
        assert engine.gradient().norm() > 0


def test_tied_parameters_add_up(oracle: Any, build: Any, error: Any) -> None:
    def tied() -> nn.Module:
        network = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Linear(3, 1))
        network[2].weight = network[0].weight
        return network

    wanted, _ = oracle(build(tied), mean_squared_error(), X, Y)
    for method in (Autograd, FiniteDifferences):
        engine = method(build(tied), mean_squared_error())
        engine.predict(X)
        engine.loss(Y)
        assert error(engine.gradient(), wanted) < 1e-6
