"""Runs that end too soon or go on too long, layers that cripple, answers that are dropped."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def few_steps(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1400)
    model = dense(6, 48, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1200], y[:1200], 25 if cured else 2)
    return Trained(watching, explained(model(x[1200:]), y[1200:]), known(x, y, 1200, F.mse_loss))


class AnswersDropped(nn.Module):
    """A regression whose answers are dropped while it trains, as if they were hidden values."""

    def __init__(self, at_the_end: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 64), nn.ReLU())
        self.last, self.dropout = nn.Linear(64, 2), nn.Dropout(0.75 if at_the_end else 0.05)
        self.at_the_end = at_the_end

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x)
        number: Tensor = (
            self.dropout(self.last(h)) if self.at_the_end else self.last(self.dropout(h))
        )
        return number


def dropout_on_the_answers(cured: bool, watch: Watch) -> Trained:
    x = torch.randn(1200, 8)
    y = torch.tanh(x @ torch.randn(8, 2)) + x[:, :2]
    model = AnswersDropped(not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], y[:1000], 20)
    model.eval()
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


def other_order_of_classes(cured: bool, watch: Watch) -> Trained:
    """The classes of the validation data are numbered in another order."""
    x, y = clouds(1300, 6, 10)
    order = torch.arange(6) if cured else torch.tensor([3, 0, 4, 1, 5, 2])
    y[1000:] = order[y[1000:]]
    model = dense(10, 32, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _ in range(8):
            for chosen in batches(1000, 32, 1):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
            with torch.no_grad():
                output = model(x[1000:])
            loss = float(F.cross_entropy(output, y[1000:]))
            watching.valid(loss=loss, score=right(output, y[1000:]))
    return Trained(watching, right(model(x[1000:]), y[1000:]), known(x, y, 1000, F.cross_entropy))


def too_many_epochs(cured: bool, watch: Watch) -> Trained:
    """60 noisy samples and a wide network; the loop's own validation losses rise, or it stops
    where they do. The score is that of the probabilities.
    """
    y = torch.randint(3, (560,))
    x = 0.5 * torch.randn(3, 20)[y] + torch.randn(560, 20)
    y = torch.where(torch.rand(560) < 0.15, torch.randint(3, (560,)), y)
    few = 60
    model = dense(20, 128, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    best, since = float("inf"), 0
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    with watch(model, optimizer) as watching:
        for _ in range(100):
            for chosen in batches(few, 20, 1):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
            with torch.no_grad():
                output = model(x[few:])
            loss = float(F.cross_entropy(output, y[few:]))
            watching.valid(loss=loss, score=right(output, y[few:]))
            since = since + 1
            if loss < best:
                best, since = loss, 0
                kept = {name: value.clone() for name, value in model.state_dict().items()}
            if cured and since == 3:
                model.load_state_dict(kept)
                break
    with torch.no_grad():
        loss = float(F.cross_entropy(model(x[few:]), y[few:]))
    return Trained(watching, max(1 - loss / 1.0986, -1.0), known(x, y, few, F.cross_entropy))


class Bottleneck(nn.Module):
    """A narrow layer in the middle, as it was drawn or trained with the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle = nn.Linear(64, 48), nn.Linear(48, 3)
        self.last = dense(3, 48, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.middle(F.relu(self.first(x.flatten(1)))))
        kinds: Tensor = self.last(h)
        return kinds


def frozen_bottleneck(cured: bool, watch: Watch) -> Trained:
    """All but the last layers stay frozen from a trial before."""
    x, y = bars(900, noise=0.5)
    model = Bottleneck()
    if not cured:
        model.first.requires_grad_(False)
        model.middle.requires_grad_(False)
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:700], y[:700], 8)
    return Trained(watching, right(model(x[700:]), y[700:]), known(x, y, 700, F.cross_entropy))


def one_cycle_over_early(cured: bool, watch: Watch) -> Trained:
    """One cycle of the rate, of a length in steps that was worked out for larger batches; the
    steps after it are taken at next to nothing.
    """
    x, y = bent(1200)
    model = dense(6, 48, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    steps = 20 * 32
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.02, total_steps=steps if cured else steps // 16
    )
    with watch(model, optimizer) as watching:
        for step, chosen in enumerate(batches(1000, 32, 20), 1):
            descend(watching, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
            if step < schedule.total_steps:
                schedule.step()
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


PAIRS = [
    Pair(
        "ended after two epochs",
        "ended after twenty-five epochs",
        ("stopped_early", "underfitting"),
        few_steps,
        0.74,
        0.82,
    ),
    Pair(
        "dropout on the answers",
        "dropout on hidden values",
        ("mode_mismatch", "output_loss_mismatch", "underfitting"),
        dropout_on_the_answers,
        0.75,
        0.85,
    ),
    Pair(
        "classes of the validation data in another order",
        "classes in one order",
        ("train_valid_mismatch", "labels_unrelated"),
        other_order_of_classes,
        0.3,
        0.85,
    ),
    Pair(
        "a hundred epochs on sixty samples",
        "ended where the validation loss rises",
        ("overfitting",),
        too_many_epochs,
        0.12,
        0.2,
    ),
    Pair(
        "a narrow layer frozen as it was drawn",
        "a narrow layer trained with the rest",
        ("parameters_not_updated",),
        frozen_bottleneck,
        0.7,
        0.8,
    ),
    Pair(
        "one cycle over after a sixteenth of the run",
        "one cycle over the run",
        ("schedule_collapsed", "learning_rate_too_low"),
        one_cycle_over_early,
        0.6,
        0.8,
    ),
]
