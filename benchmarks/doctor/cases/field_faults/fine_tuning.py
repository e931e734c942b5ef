"""A network that was trained before is trained on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right


class Backbone(nn.Module):
    """A body of two layers and a head."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 48), nn.Tanh(), nn.Linear(48, 10), nn.Tanh())
        self.head = nn.Linear(10, classes)

    def forward(self, x: Tensor) -> Tensor:
        kinds: Tensor = self.head(self.body(x))
        return kinds


def tasks() -> tuple[Backbone, Tensor, Tensor]:
    """A network that tells twelve kinds of points apart, and points of four groups of them."""
    kinds, signs = torch.randn(12, 4).sign(), torch.randn(4, 12)

    def points(count: int) -> tuple[Tensor, Tensor]:
        y = torch.randint(12, (count,))
        bits = kinds[y] + 0.3 * torch.randn(count, 4)
        return torch.tanh(bits @ signs / 2) + 0.3 * torch.randn(count, 12), y

    x, y = points(2000)
    model = Backbone(12)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for chosen in batches(2000, 50, 6):
        optimizer.zero_grad()
        F.cross_entropy(model(x[chosen]), y[chosen]).backward()
        optimizer.step()
    x, y = points(700)
    group = (kinds[:, 0] > 0).long() + 2 * (kinds[:, 1] * kinds[:, 2] > 0).long()
    return model, x, group[y]


def tune(
    watch: Watch,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    epochs: int = 8,
) -> Trained:
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:400], y[:400], epochs, 20)
    return Trained(watching, right(model(x[400:]), y[400:]), known(x, y, 400, F.cross_entropy))


def new_head_frozen(cured: bool, watch: Watch) -> Trained:
    """All is frozen after the new head was put in, and the last bias let go, not the head."""
    model, x, y = tasks()
    model.head = nn.Linear(10, 4)
    for p in model.parameters():
        p.requires_grad_(False)
    free = model.head if cured else model.body[2]
    assert isinstance(free, nn.Linear)
    free.bias.requires_grad_(True)
    if cured:
        free.weight.requires_grad_(True)
    trained = [p for p in model.parameters() if p.requires_grad]
    return tune(watch, model, torch.optim.Adam(trained, lr=2e-2), x, y, 12)


def weights_of_other_names(cured: bool, watch: Watch) -> Trained:
    """The saved names begin with `module.`, so that `strict=False` loads none; the body, frozen,
    is as it was drawn.
    """
    model, x, y = tasks()
    saved = {f"module.{name}": value for name, value in model.state_dict().items()}
    if cured:
        saved = {name.removeprefix("module."): value for name, value in saved.items()}
    new = Backbone(4)
    with torch.no_grad():  # a body that was drawn small
        for p in new.body.parameters():
            p.mul_(0.02)
    new.load_state_dict({n: v for n, v in saved.items() if "head" not in n}, strict=False)
    new.body.requires_grad_(False)
    return tune(watch, new, torch.optim.Adam(new.head.parameters(), lr=2e-2), x, y, 12)


def other_scale_than_the_backbone(cured: bool, watch: Watch) -> Trained:
    """The body, frozen, was trained on values around 0 … 1, and is given bytes."""
    model, x, y = tasks()
    if not cured:
        x = (180 + 20 * x).clamp(0, 255)
    model.head = nn.Linear(10, 4)
    model.body.requires_grad_(False)
    return tune(watch, model, torch.optim.Adam(model.head.parameters(), lr=2e-2), x, y, 12)


def rate_that_breaks(cured: bool, watch: Watch) -> Trained:
    """A rate at which what was learned before is gone within some steps."""
    model, x, y = tasks()
    model.head = nn.Linear(10, 4)
    return tune(
        watch,
        model,
        torch.optim.SGD(model.parameters(), lr=0.05 if cured else 5.0, momentum=0.9),
        x,
        y,
    )


def rate_for_the_body(cured: bool, watch: Watch) -> Trained:
    """The rate is that of the body, for the new head too."""
    model, x, y = tasks()
    model.head = nn.Linear(10, 4)
    groups = [
        {"params": model.body.parameters(), "lr": 1e-5},
        {"params": model.head.parameters(), "lr": 2e-2 if cured else 1e-5},
    ]
    return tune(watch, model, torch.optim.Adam(groups), x, y, 12)


def head_under_another_name(cured: bool, watch: Watch) -> Trained:
    """`model.fc` is new and in the optimizer; the network answers by `model.head`."""
    model, x, y = tasks()
    model.head = nn.Linear(10, 4)
    model.fc = nn.Linear(10, 4)
    free = model.head if cured else model.fc
    return tune(watch, model, torch.optim.Adam(free.parameters(), lr=2e-2), x, y, 12)


PAIRS = [
    Pair(
        "new head frozen with the rest",
        "new head let go",
        ("parameters_not_updated",),
        new_head_frozen,
        0.78,
        0.86,
    ),
    Pair(
        "weights not loaded, for their names differ",
        "weights loaded by their names",
        ("parameters_not_updated", "signal_vanishes"),
        weights_of_other_names,
        0.7,
        0.78,
    ),
    Pair(
        "bytes for a backbone of small numbers",
        "small numbers for their backbone",
        ("inputs_unscaled", "saturated_units"),
        other_scale_than_the_backbone,
        0.8,
        0.87,
    ),
    Pair(
        "fine-tuning at a rate that forgets",
        "fine-tuning at a rate that keeps",
        ("learning_rate_too_high", "saturated_units"),
        rate_that_breaks,
        0.84,
        0.88,
    ),
    Pair(
        "a new head at the body's rate",
        "a new head at a rate of its own",
        ("learning_rate_too_low",),
        rate_for_the_body,
        0.7,
        0.78,
    ),
    Pair(
        "a new head that is not in use",
        "a new head in use",
        ("parameters_not_updated",),
        head_under_another_name,
        0.7,
        0.78,
    ),
]
