"""The last operations of a network and its loss, in every way that people write them: the fault is
found in each, and nothing in those that only look like it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws
Data = Callable[[Tensor], Tensor]
End = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


class Net(nn.Module):
    """A hidden layer, and `end` as the last operation."""

    def __init__(self, outputs: int, end: End) -> None:
        super().__init__()
        self.a, self.b, self.end = nn.Linear(8, 24), nn.Linear(24, outputs), end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.b(torch.relu(self.a(x))))


def numbers(x: Tensor) -> Tensor:
    return (x[:, :2] + 0.5 * x[:, 2:4] ** 2 - 1) * 1.5


def number(x: Tensor) -> Tensor:
    return x[:, 0] + 0.5 * x[:, 1] - 0.3


def column(x: Tensor) -> Tensor:
    return number(x)[:, None]


def classes(x: Tensor) -> Tensor:
    return (x[:, :5] + 0.7 * torch.randn(len(x), 5)).argmax(1)


def labels(x: Tensor) -> Tensor:
    return (x[:, :5] > 0.3).float()


def shares(x: Tensor) -> Tensor:
    return (3 * x[:, :5]).softmax(1)


def flags(x: Tensor) -> Tensor:
    return (x[:, 0] * x[:, 1] + x[:, 2] > 0).float()


def flag_column(x: Tensor) -> Tensor:
    return flags(x)[:, None]


def same(z: Tensor) -> Tensor:
    return z


def squared(o: Tensor, t: Tensor) -> Tensor:
    return ((o - t) ** 2).mean()


def absolute(o: Tensor, t: Tensor) -> Tensor:
    return (t - o).abs().mean()


def log_cosh(o: Tensor, t: Tensor) -> Tensor:
    return torch.log(torch.cosh(o - t)).mean()


def picked(o: Tensor, t: Tensor) -> Tensor:
    return -o.gather(1, t[:, None]).mean()


def log_picked(o: Tensor, t: Tensor) -> Tensor:
    return -o.log_softmax(1)[torch.arange(len(o)), t].mean()


def bernoulli(p: Tensor, t: Tensor) -> Tensor:
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


def hinge(o: Tensor, t: Tensor) -> Tensor:
    return (1 - o * (2 * t - 1)).clamp(min=0).mean()


def soft(o: Tensor, t: Tensor) -> Tensor:
    return -(t * o.log_softmax(1)).sum(1).mean()


def first_value(o: Tensor, t: Tensor) -> Tensor:
    """The value of an action against a target, as in Q-learning."""
    return (o.gather(1, torch.zeros(len(o), 1, dtype=torch.long)) - t).pow(2).mean()


def reused() -> End:
    relu = nn.ReLU()
    return lambda z: relu(z)


def said(make: Data, outputs: int, end: End, loss_fn: Loss, seed: int, epochs: int = 6) -> set[str]:
    """What is found as a warning or error."""
    torch.manual_seed(seed)
    x = torch.randn(640, 8)
    y, model = make(x), Net(outputs, end)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ss.watch(model, optimizer) as watch:
            for _ in range(epochs):
                for rows in torch.randperm(len(x)).split(32):
                    loss = loss_fn(model(x[rows]), y[rows])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    watch.step(loss, target=y[rows])
        found = watch.diagnose(train=(x, y)).findings
    return {finding.condition for finding in found if finding.severity != "info"}


RANGE, MISMATCH = "target_out_of_range", "output_loss_mismatch"
SHAPE, UNSUITED = "target_shape_mismatch", "loss_unsuited"
FAULTY: dict[str, tuple[str, Data, int, End, Loss]] = {
    "F.relu": (RANGE, numbers, 2, F.relu, F.mse_loss),
    "relu, by hand": (RANGE, numbers, 2, torch.relu, squared),
    "relu, a module used again": (RANGE, numbers, 2, reused(), nn.SmoothL1Loss()),
    "relu, outside": (RANGE, numbers, 2, same, lambda o, t: F.l1_loss(o.relu(), t)),
    "clamp": (RANGE, numbers, 2, lambda z: z.clamp(min=0), F.mse_loss),
    "sigmoid of numbers": (RANGE, numbers, 2, torch.sigmoid, F.mse_loss),
    "tanh of numbers": (RANGE, numbers, 2, torch.tanh, nn.HuberLoss()),
    "softplus of numbers": (RANGE, numbers, 2, F.softplus, absolute),
    "softmax inside": (MISMATCH, classes, 5, lambda z: z.softmax(1), F.cross_entropy),
    "softmax outside": (MISMATCH, classes, 5, same, lambda o, t: F.cross_entropy(o.softmax(1), t)),
    "softmax, log_softmax": (
        MISMATCH,
        classes,
        5,
        lambda z: z.softmax(1).log_softmax(1),
        F.nll_loss,
    ),
    "softmax, by hand": (MISMATCH, classes, 5, lambda z: z.softmax(1), log_picked),
    "softmax, no logarithm": (MISMATCH, classes, 5, lambda z: z.softmax(1), F.nll_loss),
    "softmax, no logarithm, by hand": (MISMATCH, classes, 5, lambda z: z.softmax(1), picked),
    "log_softmax over samples": (MISMATCH, classes, 5, lambda z: z.log_softmax(0), F.nll_loss),
    "softmax over samples, by hand": (
        MISMATCH,
        classes,
        5,
        lambda z: z.softmax(0),
        lambda o, t: picked(o.log(), t),
    ),
    "softmax of one": (
        MISMATCH,
        flag_column,
        1,
        lambda z: z.softmax(1),
        F.binary_cross_entropy,
    ),
    "softmax of one number": (MISMATCH, column, 1, lambda z: F.softmax(z, -1), F.mse_loss),
    "softmax of one, by hand": (
        MISMATCH,
        flag_column,
        1,
        same,
        lambda o, t: squared(o.softmax(1), t),
    ),
    "sigmoid twice": (
        MISMATCH,
        flag_column,
        1,
        torch.sigmoid,
        F.binary_cross_entropy_with_logits,
    ),
    "sigmoid twice, squeezed": (
        MISMATCH,
        flags,
        1,
        lambda z: z.sigmoid().squeeze(1),
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0)),
    ),
    "sigmoid twice, probabilities": (
        MISMATCH,
        flag_column,
        1,
        lambda z: z.sigmoid().sigmoid(),
        F.binary_cross_entropy,
    ),
    "sigmoid for logits": (MISMATCH, classes, 5, torch.sigmoid, F.cross_entropy),
    "tanh for logits": (MISMATCH, classes, 5, torch.tanh, F.cross_entropy),
    "relu for a logit": (MISMATCH, flag_column, 1, F.relu, F.binary_cross_entropy_with_logits),
    "relu before sigmoid": (
        MISMATCH,
        flag_column,
        1,
        lambda z: F.relu(z).sigmoid(),
        F.binary_cross_entropy,
    ),
    "labels, softmax": (UNSUITED, labels, 5, lambda z: z.softmax(1), F.binary_cross_entropy),
    "labels, cross-entropy": (UNSUITED, labels, 5, same, F.cross_entropy),
    "labels, by hand": (UNSUITED, labels, 5, same, soft),
    "[B, 1] and [B]": (SHAPE, number, 1, same, F.mse_loss),
    "[B, 1] and [B], by hand": (SHAPE, number, 1, same, squared),
    "[B, 1] and [B], absolute": (SHAPE, number, 1, same, absolute),
    "[B, 1] and [B], another": (SHAPE, number, 1, same, log_cosh),
    "[B] and [B, 1]": (SHAPE, column, 1, lambda z: z.squeeze(1), squared),
    "[B, 1] and [B], yes and no": (SHAPE, flags, 1, torch.sigmoid, bernoulli),
    "[B, 1] and [B], a margin": (SHAPE, flags, 1, same, hinge),
    "[B, 1] and [B], an action": (SHAPE, number, 3, same, first_value),
}
HEALTHY: dict[str, tuple[Data, int, End, Loss]] = {
    "numbers": (numbers, 2, same, squared),
    "relu, numbers above 0": (lambda x: x[:, :2].abs(), 2, F.relu, F.mse_loss),
    "sigmoid, numbers within": (lambda x: x[:, :2].sigmoid(), 2, torch.sigmoid, F.mse_loss),
    "tanh, scaled": (lambda x: 2 * x[:, :2], 2, lambda z: 8 * torch.tanh(z / 8), squared),
    "log_softmax and cross_entropy": (classes, 5, lambda z: z.log_softmax(1), F.cross_entropy),
    "log_softmax and nll_loss": (classes, 5, lambda z: z.log_softmax(1), F.nll_loss),
    "logits, by hand": (classes, 5, same, log_picked),
    "probabilities, by hand": (
        classes,
        5,
        lambda z: z.softmax(1),
        lambda o, t: picked(o.log(), t),
    ),
    "capped logits": (classes, 5, lambda z: 20 * torch.tanh(z / 20), F.cross_entropy),
    "sigmoid": (flag_column, 1, torch.sigmoid, F.binary_cross_entropy),
    "sigmoid, by hand": (flag_column, 1, torch.sigmoid, bernoulli),
    "labels": (labels, 5, same, F.binary_cross_entropy_with_logits),
    "shares": (shares, 5, same, soft),
    "quantiles": (number, 3, same, lambda o, t: absolute(o, t[:, None])),
    "pairs": (
        number,
        1,
        same,
        lambda o, t: F.softplus(-(o - o[:, 0]) * (t[:, None] - t).sign()).mean(),
    ),
}


@pytest.mark.parametrize("name", FAULTY)
@five_seeds
@pytest.mark.sampled(4)
def test_a_fault_is_found_however_it_is_written(name: str, seed: int) -> None:
    condition, make, outputs, end, loss_fn = FAULTY[name]
    assert condition in said(make, outputs, end, loss_fn, seed)


@pytest.mark.parametrize("name", HEALTHY)
@five_seeds
@pytest.mark.sampled(3)
def test_what_only_looks_like_it_is_not(name: str, seed: int) -> None:
    found = said(*HEALTHY[name], seed=seed, epochs=12)
    assert not found & {RANGE, MISMATCH, SHAPE, UNSUITED}
