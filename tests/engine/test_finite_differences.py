"""The method that needs no derivative: what it takes, and that it leaves no trace."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine import Autograd, FiniteDifferences
from sevensteps.engine.modules import Dropout, use_generator
from sevensteps.errors import ArgumentError
from sevensteps.steps.loss import mean_squared_error

X = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)
Y = torch.ones(4, 1, dtype=torch.float64)


def test_parameters_and_statistics_are_as_after_one_forward(build: Any) -> None:
    network = build(lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)))
    twin = copy.deepcopy(network)
    twin(X)
    engine = FiniteDifferences(network, mean_squared_error())
    engine.predict(X)
    engine.loss(Y)
    engine.gradient()
    for (name, found), wanted in zip(
        network.state_dict().items(), twin.state_dict().values(), strict=True
    ):
        assert torch.equal(found, wanted), name


def test_a_foreign_network_s_own_randomness_is_repeated_and_not_used_up(
    build: Any, error: Any
) -> None:
    network = build(lambda: nn.Sequential(nn.Linear(3, 20), nn.Dropout(0.5), nn.Linear(20, 1)))
    found, left = [], []
    for method in (Autograd, FiniteDifferences):
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(7)
            engine = method(copy.deepcopy(network), mean_squared_error())
            engine.predict(X)
            engine.loss(Y)
            found.append(engine.gradient())
            left.append(torch.random.get_rng_state())
    assert error(found[1], found[0]) < 1e-6
    assert torch.equal(*left)


def test_a_failure_on_the_way_leaves_no_trace(build: Any) -> None:
    class Failing(mean_squared_error):
        calls: list[int] = []  # noqa: RUF012 - shared on purpose: a value cannot change

        def __call__(self, output: Tensor, target: Tensor) -> Tensor:
            self.calls.append(1)
            if len(self.calls) == 4:  # the first is the training's own
                raise KeyboardInterrupt
            return super().__call__(output, target)

    network = build(
        lambda: nn.Sequential(nn.Linear(3, 8), Dropout(0.5), Dropout(0.5), nn.Linear(8, 1))
    )
    generator = torch.Generator().manual_seed(1)
    use_generator(network, generator)
    engine = FiniteDifferences(network, Failing())
    engine.predict(X)
    engine.loss(Y)
    torch.rand(3, generator=generator)  # something else draws before the gradient is asked for
    parameters, state = engine.parameters.clone(), generator.get_state()
    with pytest.raises(KeyboardInterrupt):
        engine.gradient()
    assert torch.equal(engine.parameters, parameters)
    assert torch.equal(generator.get_state(), state)


def test_a_state_that_the_forward_changes_is_repeated(build: Any, error: Any) -> None:
    class Counting(nn.Linear):
        def __init__(self) -> None:
            super().__init__(3, 1)
            self.register_buffer("calls", torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(x) * self.calls

    found = []
    for method in (Autograd, FiniteDifferences):
        engine = method(build(Counting), mean_squared_error())
        engine.predict(X)
        engine.loss(Y)
        found.append(engine.gradient())
        assert float(engine.network.calls) == 2
    assert error(found[1], found[0]) < 1e-6


def test_large_parameters_keep_their_digits(oracle: Any, build: Any, error: Any) -> None:
    network, x = build(lambda: nn.Linear(3, 1, bias=False)), X * 1e-6
    with torch.no_grad():
        network.weight.mul_(1e6)
    wanted, _ = oracle(network, mean_squared_error(), x, Y)
    engine = FiniteDifferences(network, mean_squared_error())
    engine.predict(x)
    engine.loss(Y)
    assert error(engine.gradient(), wanted) < 1e-6


def test_epsilon_is_what_it_says(build: Any) -> None:
    # d/dp mean p³x, by differences of ±h, is exactly 3p² mean x + h² mean x
    class Cube(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.p = nn.Parameter(torch.tensor([0.5]))

        def forward(self, x: Tensor) -> Tensor:
            return self.p**3 * x

    class Output(mean_squared_error):
        def __call__(self, output: Tensor, target: Tensor) -> Tensor:
            return output[:, 0]

    engine = FiniteDifferences(build(Cube), Output(), epsilon=0.1)
    engine.predict(Y)
    engine.loss(Y)
    assert float(engine.gradient()) == pytest.approx(0.75 + 0.01, rel=1e-12)


def test_too_many_parameters_are_refused() -> None:
    network = nn.Linear(200, 100, device="meta")
    with pytest.raises(
        ArgumentError,
        match=r"for each of 20,100 parameters, and takes at most 20,000; use autograd\(\)",
    ):
        FiniteDifferences(network, mean_squared_error())


@pytest.mark.parametrize("epsilon", [0, -1e-6, 1, float("nan")])
def test_epsilon_is_checked(epsilon: float, build: Any) -> None:
    with pytest.raises(ArgumentError, match="epsilon must be"):
        FiniteDifferences(build(lambda: nn.Linear(3, 1)), mean_squared_error(), epsilon)


def single(forward: Any) -> nn.Module:
    """A float32 network whose last act is `forward`."""
    network = nn.Sequential(nn.Linear(3, 1))
    network.append(nn.Identity())
    network[1].forward = forward
    return network


@pytest.mark.parametrize(
    ("forward", "text"),
    [
        (lambda y: torch.matmul(y, torch.ones(1, 1)), "in float64, where this network fails"),
        (lambda y: y.float(), "in float64, but this network answers in torch.float32"),
    ],
)
def test_a_network_that_insists_on_float32_is_refused(forward: Any, text: str, build: Any) -> None:
    engine = FiniteDifferences(build(lambda: single(forward)).float(), mean_squared_error())
    engine.predict(X.float())
    engine.loss(Y.float())
    with pytest.raises(ArgumentError, match=text):
        engine.gradient()
