"""Small finished runs in memory, made once: one for each kind of task and network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import sevensteps as ss

Runs = Callable[[str], ss.Run]
X = torch.linspace(-2, 2, 240).view(60, 4).sin()
LABELS = torch.stack([X[:, 0] > 0, X[:, 1] > X[:, 2], X[:, 3] < 0.5], 1).float()
MADE: dict[str, Callable[[], ss.Run]] = {
    "digits": lambda: made("digits", predict="mlp(12)", stop="epochs(8)"),
    "digits37": lambda: made("digits37", predict="mlp(8)", stop="epochs(5)"),
    "cnn": lambda: made(
        "digits", predict="cnn(2, 3, batch_norm=True, dropout=0.1)", stop="epochs(1)"
    ),
    "iris": lambda: made("iris", predict="mlp(6, 5, activation='sigmoid')", stop="epochs(5)"),
    "deep": lambda: made("iris", predict="mlp(4, 4, 4, 4, activation='sigmoid')", stop="epochs(2)"),
    "diabetes": lambda: made("diabetes", predict="mlp(6)", stop="epochs(5)"),
    "speed": lambda: made("speed", predict="polynomial()", step="sgd(lr=1e-5)", stop="epochs(3)"),
    "hinge": lambda: made("xor", predict="mlp(5)", loss="hinge()", stop="epochs(60)"),
    "mnist_loss": lambda: made(
        "digits37", predict="linear()", loss="mnist_loss()", stop="epochs(3)"
    ),
    "scores": lambda: made(
        "digits37", predict="linear()", loss="mean_squared_error()", stop="epochs(2)"
    ),
    "one_hot": lambda: made(
        "iris", predict="linear()", loss="mean_squared_error()", stop="epochs(2)"
    ),
    "likelihood": lambda: made(
        "iris", predict="mlp(5)", loss="negative_log_likelihood()", stop="epochs(2)"
    ),
    "labels": lambda: made(
        ss.data.from_arrays(X, LABELS), predict="mlp(5, activation='tanh')", stop="epochs(3)"
    ),
    "several": lambda: made(
        ss.data.from_arrays(X, X[:, :3] * 2 + 1.5),
        predict="mlp(5)",
        loss="huber(0.5)",
        stop="epochs(3)",
    ),
    "similarity": lambda: made("digits37", predict="pixel_similarity()"),
    "perceptron": lambda: made("circles", predict="neuron(activation='step')", stop="epochs(2)"),
    "own": lambda: made(
        "iris", predict=nn.Sequential(nn.Linear(4, 6), nn.Mish(), nn.Linear(6, 3)), stop="epochs(2)"
    ),
}
GRADIENTS = sorted(set(MADE) - {"similarity", "perceptron"})


def made(data: object, **steps: object) -> ss.Run:
    with torch.random.fork_rng(devices=[]):  # nn.Linear of the user's own network draws
        return ss.train(data, out=False, progress=False, watch=0, **steps)


@pytest.fixture(scope="session")
def runs() -> Callable[[str], ss.Run]:
    held: dict[str, ss.Run] = {}

    def get(name: str) -> ss.Run:
        if name not in held:
            with torch.random.fork_rng(devices=[]):
                held[name] = MADE[name]()
        return held[name]

    return get
