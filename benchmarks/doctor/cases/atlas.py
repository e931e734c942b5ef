"""Rebuilt from a public atlas of failures: scikit-learn's digits in 128-128 ReLU by SGD, healthy
and with one fault at a time; every scenario trains, though not every one fails with every seed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.doctor import data
from benchmarks.doctor.loop import Case, Setup
from benchmarks.doctor.networks import dense

Change = Callable[[Setup], None]


def scenario(change: Change) -> Callable[[int], Setup]:
    """The healthy training with one change."""

    def build(seed: int) -> Setup:
        torch.manual_seed(seed)
        model = dense(64, 128, 128, 10)
        setup = Setup(model, None, F.cross_entropy, *split(), batch=64, epochs=30)
        setup.optimizer = sgd(model)
        change(setup)
        return setup

    return build


def split() -> data.Data:
    """1,300 and 497 drawn digits, standardised by the spread of all pixels."""
    (x, y), (xv, yv) = data.digits()
    x, y = torch.cat([x, xv]), torch.cat([y, yv])
    order = torch.randperm(len(x))
    x, y = (x[order] - x.mean()) / x.std(), y[order]
    return (x[:1300], y[:1300]), (x[1300:], y[1300:])


def sgd(model: nn.Module, lr: float = 0.05) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr, momentum=0.9)


def healthy(setup: Setup) -> None:
    """Nothing."""


def high(setup: Setup) -> None:
    setup.optimizer = sgd(setup.model, 1.5)


def low(setup: Setup) -> None:
    setup.optimizer = sgd(setup.model, 2e-4)


def few(setup: Setup) -> None:
    x, y = setup.train
    chosen = torch.randperm(len(x))[:100]
    setup.train, setup.epochs = (x[chosen], y[chosen]), 60
    setup.model = dense(64, 512, 512, 10)
    setup.optimizer = sgd(setup.model)


def noisy(setup: Setup) -> None:
    x, y = setup.train
    wrong = torch.rand(len(y)) < 0.5
    setup.train = x, torch.where(wrong, torch.randint(0, 10, y.shape), y)


def in_order(setup: Setup) -> None:
    x, y = setup.train
    order = y.argsort(stable=True)
    setup.train, setup.shuffle = (x[order], y[order]), False


def unscaled(setup: Setup) -> None:
    setup.train, setup.valid = ((16 * x, y) for x, y in (setup.train, setup.valid))


def biases(setup: Setup) -> None:
    with torch.no_grad():
        for layer in (setup.model[0], setup.model[2]):
            layer.bias.fill_(-4.0)


def sigmoids(setup: Setup) -> None:
    setup.model = dense(64, *[64] * 8, 10, activation=nn.Sigmoid)
    setup.optimizer = sgd(setup.model)


def gain(setup: Setup) -> None:
    """Eight layers of 64, five times Kaiming's weights."""
    setup.model = dense(
        64, *[64] * 8, 10, start=lambda w: nn.init.normal_(w, std=5 * (2 / w.shape[1]) ** 0.5)
    )
    setup.optimizer = sgd(setup.model)


def shifted(setup: Setup) -> None:
    setup.valid = setup.valid[0] + 3, setup.valid[1]


def seen(setup: Setup) -> None:
    """Validation rows taken from the training data."""
    chosen = torch.randperm(len(setup.train[0]))[: len(setup.valid[0])]
    setup.valid = setup.train[0][chosen], setup.train[1][chosen]


def permuted(setup: Setup) -> None:
    setup.valid = setup.valid[0], setup.valid[1][torch.randperm(len(setup.valid[1]))]


SCENARIOS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "healthy": (healthy, ()),
    "lr 1.5": (high, ("learning_rate_too_high", "dead_units", "exploding_gradient", "not_finite")),
    "lr 2e-4": (low, ("learning_rate_too_low", "stopped_early")),
    "100 samples": (few, ("overfitting",)),
    "half of the labels at random": (noisy, ("label_noise", "overfitting")),
    "sorted": (in_order, ("not_shuffled",)),
    "inputs times 16": (unscaled, ("inputs_unscaled", "learning_rate_too_high", "dead_units")),
    "biases of -4": (biases, ("dead_units",)),
    "eight sigmoid layers": (sigmoids, ("vanishing_gradient", "signal_vanishes")),
    "gain 5": (
        gain,
        ("signal_explodes", "exploding_gradient", "output_overconfident", "not_finite"),
    ),
    "validation + 3": (shifted, ("train_valid_mismatch",)),
    "validation from training": (seen, ("train_valid_mismatch",)),
    "validation labels permuted": (permuted, ("train_valid_mismatch",)),
}
CASES = {
    name: Case(
        f"atlas: {name}",
        "faulty" if conditions else "healthy",
        conditions,
        scenario(change),
        structural=True,
    )
    for name, (change, conditions) in SCENARIOS.items()
}
