"""Which networks the chain rule takes, what it says of the others, and what it leaves out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from sevensteps.engine import ChainRule, missing
from sevensteps.errors import ArgumentError
from sevensteps.steps.loss import mean_squared_error

X = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)
Y = torch.ones(4, 3, dtype=torch.float64)


class Doubled(nn.ReLU):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Residual(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


def tied() -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    network[2].weight = network[0].weight
    return network


def twice() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Sequential(layer, nn.ReLU(), layer)


def hooked() -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    network[1].register_forward_hook(lambda module, inputs, output: 3 * output)
    return network


def hooked_whole() -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 3))
    network.register_forward_hook(lambda module, inputs, output: 3 * output)
    return network


def hooked_parameter() -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 3))
    network[0].weight.register_hook(lambda g: 2 * g)
    return network


def patched() -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 3))
    network[0].forward = lambda x: 2 * x
    return network


LACKING: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "unknown": (
        lambda: nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Mish())),
        "1.0 (Mish) has no written derivative",
    ),
    "not a chain": (lambda: nn.Bilinear(3, 3, 3), "Bilinear (Bilinear) has no written derivative"),
    "subclass": (lambda: nn.Sequential(Doubled()), "0 (Doubled) has no written derivative"),
    "branching": (
        lambda: nn.Sequential(Residual(nn.Linear(3, 3))),
        "0 (Residual) has no written derivative",
    ),
    "global dropout": (
        lambda: nn.Sequential(nn.Dropout(0.5)),
        "0 (Dropout) has no written derivative: it draws from PyTorch's global generator",
    ),
    "parametrized": (
        lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 3))),
        "0 (ParametrizedLinear) has no written derivative",
    ),
    "tied": (tied, "2 (Linear) shares its weight with 0"),
    "used twice": (twice, "2 (Linear) shares its weight with 0"),
    "hook": (hooked, "1 (ReLU) has hooks or a forward of its own"),
    "hook on the whole": (hooked_whole, "Sequential (Sequential) has no written derivative"),
    "hook on a parameter": (hooked_parameter, "0 (Linear) has a hook on its weight"),
    "patched": (patched, "0 (Linear) has hooks or a forward of its own"),
    "padding mode": (
        lambda: nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")),
        "0 (Conv2d) has no written derivative: it pads with padding_mode='reflect'",
    ),
    "uneven padding": (
        lambda: nn.Sequential(nn.Conv2d(1, 1, 2, padding="same")),
        "0 (Conv2d) has no written derivative: padding='same' here pads one side more",
    ),
    "indices": (
        lambda: nn.Sequential(nn.MaxPool2d(2, return_indices=True)),
        "0 (MaxPool2d) has no written derivative: it returns its indices",
    ),
    "no dimension": (
        lambda: nn.Sequential(nn.Softmax()),
        "0 (Softmax) has no written derivative: it leaves open along which dimension",
    ),
}


@pytest.mark.parametrize("name", LACKING)
def test_what_is_missing_is_named(name: str, build: Any) -> None:
    make, text = LACKING[name]
    network = build(make)
    assert (missing(network) or "").startswith(text)
    with pytest.raises(ArgumentError) as failure:
        ChainRule(network, mean_squared_error())
    assert str(failure.value).startswith(f"chain_rule: {text}")
    assert str(failure.value).endswith("; use autograd()")


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(3, 3),
        lambda: nn.Sequential(),
        lambda: nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), nn.Linear(3, 3)),
    ],
)
def test_nothing_is_missing(make: Callable[[], nn.Module], build: Any) -> None:
    assert missing(build(make)) is None


def test_an_activation_may_be_used_twice(oracle: Any, build: Any, error: Any) -> None:
    def reused() -> nn.Module:
        activation = nn.Tanh()
        return nn.Sequential(nn.Linear(3, 3), activation, nn.Linear(3, 3), activation)

    network = build(reused)
    wanted, _ = oracle(network, mean_squared_error(), X, Y)
    engine = ChainRule(network, mean_squared_error())
    engine.predict(X)
    engine.loss(Y)
    assert error(engine.gradient(), wanted) < 1e-9


def test_the_first_trained_layer_computes_no_gradient_of_its_input(build: Any) -> None:
    network = build(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    )
    engine = ChainRule(network, mean_squared_error())
    asked: list[int] = []
    for index, layer in enumerate(engine.layers):

        def record(g: Tensor, index: int = index, backward: Any = layer.backward) -> Tensor:
            asked.append(index)
            return backward(g)

        layer.backward = record  # type: ignore[method-assign]
    engine.predict(X)
    engine.loss(Y)
    engine.gradient()
    assert asked == [3, 2]


def test_running_statistics_are_pytorch_s_over_many_batches(build: Any) -> None:
    for momentum in (0.1, 0.7, None):
        network = build(
            lambda m=momentum: nn.Sequential(nn.BatchNorm1d(3, momentum=m), nn.Linear(3, 3))
        )
        twin = copy.deepcopy(network)
        engine = ChainRule(network, mean_squared_error())
        for factor in (1.0, 3.0, -2.0):
            torch.testing.assert_close(engine.predict(X * factor), twin(X * factor).detach())
        for buffer, expected in zip(network.buffers(), twin.buffers(), strict=True):
            torch.testing.assert_close(buffer, expected)
        assert int(network[0].num_batches_tracked) == 3


def test_statistics_that_are_switched_off_stay_as_they_are(
    oracle: Any, build: Any, error: Any
) -> None:
    network = build(lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3)))
    network[1].track_running_stats = False
    for training in (True, False):
        network.train(training)
        wanted, twin = oracle(network, mean_squared_error(), X, Y)
        engine = ChainRule(network, mean_squared_error())
        engine.predict(X)
        engine.loss(Y)
        assert error(engine.gradient(), wanted) < 1e-9
        assert all(
            torch.equal(a, b) for a, b in zip(network.buffers(), twin.buffers(), strict=True)
        )


def test_the_target_and_the_input_are_not_written_to(build: Any) -> None:
    network = build(
        lambda: nn.Sequential(
            nn.ReLU(inplace=True), nn.Identity(), nn.Linear(3, 3), nn.ReLU(inplace=True)
        )
    )
    engine = ChainRule(network, mean_squared_error())
    x, y = X.clone(), Y.clone()
    engine.predict(x)
    engine.loss(y)
    engine.gradient()
    assert torch.equal(x, X)
    assert torch.equal(y, Y)
