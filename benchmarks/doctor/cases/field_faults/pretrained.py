"""A network that can do something already: what it knew is lost, or what is new does not learn."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right


class Backbone(nn.Module):
    """Convolutions with norms on [N, 1, 8, 8], and a head."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.Conv2d(12, 16, 3, 2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        self.head = nn.Linear(16 * 16, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stem(x).flatten(1))


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """scikit-learn's digits [1797, 1, 8, 8], standardised as a whole, and their classes."""
    source = datasets.load_digits()
    x = torch.tensor(source.images[:, None] / 16, dtype=torch.float32)
    return (x - 0.305) / 0.376, torch.tensor(source.target)


@functools.cache
def knows_low_digits() -> dict[str, Tensor]:
    """Weights that tell 0 … 4 apart, the same whatever the seed."""
    x, y = digits()
    x, y = x[y < 5], y[y < 5]
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = Backbone()
        optimizer = torch.optim.Adam(model.parameters(), 3e-3)
        for _ in range(6):
            for chosen in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                F.cross_entropy(model(x[chosen]), y[chosen]).backward()
                optimizer.step()
    return copy.deepcopy(model.state_dict())


def start() -> tuple[Backbone, Tensor, Tensor]:
    """That network with a new head, and the digits 5 … 9 in an order of their own."""
    model = Backbone()
    model.load_state_dict(knows_low_digits())
    model.head = nn.Linear(16 * 16, 5)
    x, y = digits()
    x, y = x[y >= 5], y[y >= 5] - 5
    order = torch.randperm(len(x))
    return model, x[order], y[order]


def judged(watching: object, model: nn.Module, x: Tensor, y: Tensor, count: int = 300) -> Trained:
    with torch.no_grad():
        score = right(model.eval()(x[count:]), y[count:])
    return Trained(watching, score, known(x, y, count, F.cross_entropy))


def adam(parameters: Iterable[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam((p for p in parameters if p.requires_grad), lr)


def frozen_all(cured: bool, watch: Watch) -> Trained:
    """The freezing comes after the new head, and takes it along; a bias is left to learn."""
    model, x, y = start()
    for name, p in model.named_parameters():
        p.requires_grad_("head" in name if cured else name == "stem.1.bias")
    watching = fit(
        watch, model, adam(model.parameters(), 3e-3), F.cross_entropy, x[:300], y[:300], 8
    )
    return judged(watching, model, x, y)


def rate_for_scratch(cured: bool, watch: Watch) -> Trained:
    """What it knew is gone after the first steps."""
    model, x, y = start()
    optimizer = torch.optim.SGD(model.parameters(), 0.02 if cured else 6.0, momentum=0.9)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:300], y[:300], 5)
    return judged(watching, model, x, y)


def adapters_of_zeros(cured: bool, watch: Watch) -> Trained:
    """Of a low-rank change A B both factors start at zero: neither ever gets a gradient."""

    class Adapted(nn.Module):
        def __init__(self, layer: nn.Linear, rank: int = 6) -> None:
            super().__init__()
            self.layer = layer.requires_grad_(False)
            self.a = nn.Parameter(torch.zeros(rank, layer.in_features))
            self.b = nn.Parameter(torch.zeros(layer.out_features, rank))
            if cured:
                nn.init.kaiming_uniform_(self.a, a=5**0.5)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x) + x @ self.a.T @ self.b.T

    model, x, y = start()
    model.stem.requires_grad_(False)
    model.head = Adapted(model.head)
    watching = fit(
        watch, model, adam(model.parameters(), 1e-2), F.cross_entropy, x[:300], y[:300], 10
    )
    return judged(watching, model, x, y)


def other_pixels(cured: bool, watch: Watch) -> Trained:
    """Tuned on pixels as they were prepared for it, used on pixels from 0 to 255."""
    model, x, y = start()
    x = x.clone()
    if not cured:
        x[300:] = (x[300:] * 0.376 + 0.305) * 255
    for p in model.stem.parameters():
        p.requires_grad_(False)
    watching = fit(
        watch, model, adam(model.parameters(), 3e-3), F.cross_entropy, x[:300], y[:300], 8
    )
    return judged(watching, model, x, y)


def old_head_in_optimizer(cured: bool, watch: Watch) -> Trained:
    """The optimizer is built, then the head is replaced; the stem's share is next to nothing."""
    model, x, y = start()
    for p in model.stem.parameters():
        p.requires_grad_(False)
    groups = [{"params": model.stem.parameters(), "lr": 1e-6}, {"params": model.head.parameters()}]
    optimizer = torch.optim.Adam(groups, 3e-3)
    if not cured:
        model.head = nn.Linear(16 * 16, 5)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:300], y[:300], 8)
    return judged(watching, model, x, y)


PAIRS = [
    Pair(
        "frozen after the head was put on",
        "frozen all but the head",
        ("parameters_not_updated",),
        frozen_all,
        0.75,
        0.85,
    ),
    Pair(
        "tuned with a rate of 6",
        "tuned with a rate of .02",
        ("learning_rate_too_high",),
        rate_for_scratch,
        0.7,
        0.85,
    ),
    Pair(
        "two factors of zeros",
        "one factor of zeros",
        ("parameters_not_updated", "symmetric_units"),
        adapters_of_zeros,
        0.6,
        0.8,
    ),
    Pair(
        "used on pixels of 0 to 255",
        "used on pixels as tuned on",
        ("train_valid_mismatch", "inputs_unscaled"),
        other_pixels,
        0.88,
        0.92,
    ),
    Pair(
        "a head put on after the optimizer",
        "a head known to the optimizer",
        ("parameters_not_updated",),
        old_head_in_optimizer,
        0.6,
        0.85,
    ),
]
