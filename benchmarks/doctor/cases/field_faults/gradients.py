"""What became of the gradient between the backward pass and the step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.networks import dense


def clipped_to_nothing(cured: bool, watch: Watch) -> Trained:
    """Each value is clipped, to a bound that was meant for something else."""
    x, y = bent(1200)
    model = dense(6, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 32, 15):
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 1.0 if cured else 1e-5)
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


def cleared_before_the_step(cured: bool, watch: Watch) -> Trained:
    x, y = clouds(1000, 4, 8)
    model = dense(8, 32, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 8):
            if cured:
                model.zero_grad()
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            if not cured:
                model.zero_grad(set_to_none=False)
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


def steps_below_rounding(cured: bool, watch: Watch) -> Trained:
    """Parameters in bfloat16, of 8 bits, and steps of a thousandth of them."""
    x, y = bars(900)
    precision = torch.float32 if cured else torch.bfloat16
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2).add_(0.2 * p.sign())
    model = model.to(precision)
    x = x.to(precision)
    optimizer = torch.optim.SGD(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 16, 25):
            loss = F.cross_entropy(model(x[chosen]).float(), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    return Trained(watching, right(model(x[700:]), y[700:]), known(x, y, 700))


def warmup_without_end(cured: bool, watch: Watch) -> Trained:
    """The warm-up is counted in steps, and stepped once an epoch."""
    x, y = bent(1200)
    model = dense(6, 48, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-3, 1.0, total_iters=100)
    with watch(model, optimizer) as watching:
        for _ in range(20):
            for chosen in batches(1000, 32, 1):
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
                if cured:
                    schedule.step()
            if not cured:
                schedule.step()
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


def one_of_two_cleared(cured: bool, watch: Watch) -> Trained:
    """A body and a head, each with an optimizer; of the two, one is cleared."""
    x, y = bent(1200)
    body, head = nn.Sequential(nn.Linear(6, 48), nn.ReLU()), nn.Linear(48, 1)
    model = nn.Sequential(body, head)
    slow = torch.optim.SGD(body.parameters(), lr=0.05)
    fast = torch.optim.SGD(head.parameters(), lr=0.05)
    with watch(model, [slow, fast]) as watching:
        for chosen in batches(1000, 32, 15):
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            fast.zero_grad()
            if cured:
                slow.zero_grad()
            loss.backward()
            slow.step()
            fast.step()
            watching.step(loss, target=y[chosen])
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


def schedule_of_another_length(cured: bool, watch: Watch) -> Trained:
    """A polynomial decay to nothing within the first epoch, for it counts batches."""
    x, y = bent(1200)
    model = dense(6, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=15)
    with watch(model, optimizer) as watching:
        for _ in range(15):
            for chosen in batches(1000, 32, 1):
                loss = F.mse_loss(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
                if not cured:
                    schedule.step()
            if cured:
                schedule.step()
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


def accumulated_and_thrown_away(cured: bool, watch: Watch) -> Trained:
    """A step for every 25 batches of 4; cleared for the last of them, or after the step."""
    x, y = bent(1200)
    model = dense(6, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    passes = 0
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 4, 14):
            passes += 1
            if not cured and passes % 25 == 0:
                optimizer.zero_grad()
            loss = F.mse_loss(model(x[chosen]), y[chosen]) / 25
            loss.backward()
            if passes % 25 == 0:
                optimizer.step()
                optimizer.zero_grad()
            watching.step(loss, target=y[chosen])
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


PAIRS = [
    Pair(
        "gradients clipped to a hundred-thousandth",
        "gradients clipped to one",
        ("gradient_clipped_away",),
        clipped_to_nothing,
        0.3,
        0.6,
    ),
    Pair(
        "gradients cleared before the step",
        "gradients cleared before the backward pass",
        ("gradient_discarded", "parameters_not_updated"),
        cleared_before_the_step,
        0.6,
        0.85,
    ),
    Pair(
        "steps that bfloat16 rounds away",
        "steps that float32 keeps",
        ("updates_rounded_away",),
        steps_below_rounding,
        0.74,
        0.82,
    ),
    Pair(
        "a warm-up that never ends",
        "a warm-up of three epochs",
        ("learning_rate_too_low", "schedule_collapsed"),
        warmup_without_end,
        0.7,
        0.8,
    ),
    Pair(
        "the body's gradients never cleared",
        "both gradients cleared",
        ("gradient_not_cleared",),
        one_of_two_cleared,
        0.5,
        0.6,
    ),
    Pair(
        "a decay over within the first epoch",
        "a decay over all epochs",
        ("schedule_collapsed",),
        schedule_of_another_length,
        0.5,
        0.65,
    ),
    Pair(
        "24 of 25 backward passes thrown away",
        "25 backward passes for a step",
        ("gradient_discarded", "gradient_not_cleared"),
        accumulated_and_thrown_away,
        0.74,
        0.8,
    ),
]
