"""What became of the gradient on its way to the weights: cut, thrown away, rounded, faded out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.drawn import bars, bent, chains, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def picture_network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), dense(8 * 64, 32, 4)
    )


def cut_by_value(cured: bool, watch: Watch) -> Trained:
    """Every value of the gradient is cut at a ten-thousandth."""
    x, y = bars(1000)
    model = picture_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 6):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 1.0 if cured else 1e-5)
            optimizer.step()
            watching.step(loss, target=y[chosen])
    score = right(model(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


def cleared_between(cured: bool, watch: Watch) -> Trained:
    """zero_grad between backward and step, in a recurrent network."""
    tokens = chains(700, 13, 8)
    x, y = tokens[:, :-1], tokens[:, 1:]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.gru = nn.Embedding(8, 16), nn.GRU(16, 24, batch_first=True)
            self.head = nn.Linear(24, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.gru(self.words(x))[0])

    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(500, 25, 8):
            loss = F.cross_entropy(model(x[chosen]).flatten(0, 1), y[chosen].flatten())
            if cured:
                optimizer.zero_grad()
            loss.backward()
            if not cured:
                optimizer.zero_grad()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return Trained(watching, right(model(x[500:])[:, 1:], y[500:, 1:]))


def all_but_the_last(cured: bool, watch: Watch) -> Trained:
    """Eight small batches a step, and zero_grad before each of them: seven are thrown away."""
    x, y = clouds(1600, 8, 10, apart=1.1)
    model = dense(10, 32, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    with watch(model, optimizer) as watching:
        for index, chosen in enumerate(batches(1280, 2, 3), 1):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            if not cured or index % 16 == 1:
                optimizer.zero_grad()
            (loss / 16 if cured else loss).backward()
            if index % 16 == 0:
                optimizer.step()
                watching.step(loss, target=y[chosen])
    score = right(model(x[1280:]), y[1280:])
    return Trained(watching, score, known(x, y, 1280, F.cross_entropy))


def never_cleared(cured: bool, watch: Watch) -> Trained:
    """zero_grad is called on another optimizer than the one that steps."""
    x, y = bent(1500)
    model = dense(6, 48, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    other = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.05)
    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 20):
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            (optimizer if cured else other).zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    score = explained(model(x[1200:]), y[1200:])
    return Trained(watching, score, known(x, y, 1200, F.mse_loss))


def rounded_away(cured: bool, watch: Watch) -> Trained:
    """Weights in bfloat16: steps of a thousandth of their size are lost in rounding."""
    x, y = clouds(1600, 6, 12, apart=1.0)
    model = dense(12, 48, 6)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3)
    kind = torch.float32 if cured else torch.bfloat16
    model.to(kind)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)
    with watch(model, optimizer) as watching:
        for chosen in batches(1280, 20, 40):
            loss = F.cross_entropy(model(x[chosen].to(kind)).float(), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    score = right(model(x[1280:].to(kind)).float(), y[1280:])
    return Trained(watching, score)


def schedule_of_epochs_by_batches(cured: bool, watch: Watch) -> Trained:
    """A tenth of the rate after every two epochs; the schedule is stepped with every batch."""
    x, y = bars(1000)
    model = picture_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
    with watch(model, optimizer) as watching:
        for epoch in range(6):
            for chosen in torch.randperm(800).split(32):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
                if not cured:
                    schedule.step()
            if cured and epoch > 1:
                schedule.step()
    score = right(model(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


def warm_up_without_end(cured: bool, watch: Watch) -> Trained:
    """A warm-up of as many steps as a large training has; this one ends long before."""
    x, y = bent(1500)
    model = dense(6, 48, 48, 1, activation=nn.GELU)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    steps = 40 if cured else 100_000
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / steps, 1))

    def loss_fn(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(output, y)

    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 15):
            loss = loss_fn(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            watching.step(loss, target=y[chosen])
    score = explained(model(x[1200:]), y[1200:])
    return Trained(watching, score, known(x, y, 1200, loss_fn))


def decay_as_large_as_the_rate(cured: bool, watch: Watch) -> Trained:
    """A decay of one half, meant for AdamW's small rates, with Adam, which adds it to gradients."""
    x, y = clouds(1200, 6, 10)
    model = dense(10, 32, 32, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, weight_decay=0 if cured else 0.5)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1000], y[:1000], 12)
    score = right(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, F.cross_entropy))


PAIRS = [
    Pair(
        "gradients cut at a hundred-thousandth",
        "gradients cut at one",
        ("gradient_clipped_away",),
        cut_by_value,
        0.7,
        0.9,
    ),
    Pair(
        "cleared between backward and step",
        "cleared before backward",
        ("gradient_discarded",),
        cleared_between,
        0.4,
        0.7,
    ),
    Pair(
        "fifteen of sixteen batches thrown away",
        "sixteen batches a step",
        ("gradient_discarded",),
        all_but_the_last,
        0.6,
        0.7,
    ),
    Pair(
        "another optimizer's gradients are cleared",
        "the optimizer's gradients are cleared",
        ("gradient_not_cleared",),
        never_cleared,
        0.5,
        0.8,
    ),
    Pair(
        "small steps of bfloat16 weights",
        "small steps of float32 weights",
        ("updates_rounded_away",),
        rounded_away,
        0.65,
        0.7,
    ),
    Pair(
        "a schedule of epochs stepped with every batch",
        "a schedule of epochs",
        ("schedule_collapsed",),
        schedule_of_epochs_by_batches,
        0.7,
        0.9,
    ),
    Pair(
        "a warm-up of a hundred thousand steps",
        "a warm-up of forty steps",
        ("learning_rate_too_low",),
        warm_up_without_end,
        0.5,
        0.8,
    ),
    Pair(
        "a decay of one half in the gradients",
        "no decay in the gradients",
        ("weight_decay_too_strong",),
        decay_as_large_as_the_rate,
        0.6,
        0.85,
    ),
]
