"""Steps that are too long, too short, or undone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.cases.step_faults.later import sets
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, logits, planned, sgd
from benchmarks.doctor.networks import dense


class Memory(nn.Module):
    """An LSTM or GRU over [N, T, inputs] and a layer on its last state."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], inputs: int, outputs: int) -> None:
        super().__init__()
        self.memory, self.out = kind(inputs, 24, batch_first=True), nn.Linear(24, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.memory(x)[0][:, -1])


def small_cnn() -> nn.Sequential:
    """For [N, 1, 12, 12]."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(144, 4),
    )  # fmt: skip


def far_shapes(cured: bool) -> Plan:
    return Plan(sets.shapes(), small_cnn(), F.cross_entropy, sgd(0.1 if cured else 4.0), 20)


def far_reach(cured: bool) -> Plan:
    model = dense(4, 48, 48, 1)
    return Plan(sets.arm(), model, F.mse_loss, adam(3e-3 if cured else 1.0), 20, score=explained)


def far_sensor(cured: bool, watch: Watch) -> Trained:
    """RMSprop with a rate from another project."""
    (x, y), (xv, yv) = sets.movements()
    model = Memory(nn.GRU, 3, 3)
    opt = optim.RMSprop(model.parameters(), lr=3e-3 if cured else 0.3)
    with watch(model, opt) as watching:
        for _ in range(15):
            for chosen in torch.randperm(len(x)).split(32):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                opt.zero_grad()
                loss.backward()
                opt.step()
                watching.step(loss, target=y[chosen])
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.cross_entropy)
    return Trained(watching, right(model(xv), yv), data)


def near_signals(cured: bool) -> Plan:
    model = nn.Sequential(
        nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.AvgPool1d(5), nn.Flatten(), nn.Linear(128, 4)
    )
    return Plan(
        sets.signals(), model, F.cross_entropy, adam(5e-3 if cured else 1e-5), 20, loader=True
    )


def near_rent(cured: bool) -> Plan:
    model = dense(5, 48, 1, activation=nn.Tanh)
    optimizer = sgd(0.05 if cured else 1e-4, momentum=0.5)
    return Plan(sets.flats(), model, F.mse_loss, optimizer, 25, score=explained)


def never_warm(cured: bool, watch: Watch) -> Trained:
    """A warm-up counted in epochs where it is stepped in batches, or the other way round."""
    (x, y), (xv, yv) = sets.digits()
    model = dense(64, 64, 10)
    opt = optim.SGD(model.parameters(), lr=0.2, momentum=0.5)
    warm = optim.lr_scheduler.LambdaLR(opt, lambda i: min(1.0, (i + 1) / 2000))
    with watch(model, opt) as watching:
        for _ in range(12):
            for xb, yb in DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True):
                loss = F.cross_entropy(model(xb), yb)
                opt.zero_grad()
                loss.backward()
                opt.step()
                if cured:
                    warm.step()
                watching.step(loss, target=yb)
            if not cured:
                warm.step()
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.cross_entropy)
    return Trained(watching, right(model(xv), yv), data)


def decayed(cured: bool) -> Plan:
    def make(model: nn.Module) -> optim.Optimizer:
        return optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01 if cured else 60.0)

    return Plan(sets.genes(), dense(20, 64, 4), F.cross_entropy, make, 25)


def decayed_shapes(cured: bool) -> Plan:
    make = sgd(0.05, momentum=0.9, weight_decay=1e-4 if cured else 0.1)
    return Plan(sets.shapes(), small_cnn(), F.cross_entropy, make, 15)


def penalty_by_hand(cured: bool, watch: Watch) -> Trained:
    """The squares of all weights are added to the loss."""
    (x, y), (xv, yv) = sets.hastie()
    model = dense(10, 64, 64, 1)
    opt = optim.Adam(model.parameters(), lr=2e-3)
    strength = 1e-5 if cured else 0.1
    with watch(model, opt) as watching:
        for chosen in batches(len(x), 50, 15):
            penalty = sum(p.pow(2).sum() for p in model.parameters())
            loss = logits(model(x[chosen]), y[chosen]) + strength * penalty
            opt.zero_grad()
            loss.backward()
            opt.step()
            watching.step(loss, target=y[chosen])
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), logits)
    return Trained(watching, above(0)(model(xv), yv), data)


def halved_each_batch(cured: bool) -> Plan:
    return Plan(
        sets.circuit(),
        dense(4, 48, 48, 1),
        F.mse_loss,
        sgd(0.05, momentum=0.8),
        25,
        score=explained,
        schedule=lambda opt: optim.lr_scheduler.ExponentialLR(opt, 0.8),
        each_batch=not cured,
    )


def tenths(cured: bool) -> Plan:
    """A tenth after each epoch, where a tenth after ten was meant."""
    return Plan(
        sets.movements(),
        Memory(nn.LSTM, 3, 3),
        F.cross_entropy,
        adam(3e-3),
        20,
        schedule=lambda opt: optim.lr_scheduler.StepLR(opt, 10 if cured else 1, gamma=0.1),
    )


def large_epsilon(cured: bool) -> Plan:
    make = adam(3e-3, eps=1e-8 if cured else 10.0)
    return Plan(sets.digits(), dense(64, 48, 10), F.cross_entropy, make, 10)


def heavy_momentum(cured: bool) -> Plan:
    make = sgd(0.02, momentum=0.9 if cured else 0.999)
    return Plan(sets.arm(), dense(4, 48, 48, 1), F.mse_loss, make, 15, score=explained)


def near_copies(cured: bool) -> Plan:
    """Two columns are all but the same, and what counts is their difference."""
    draw = torch.Generator().manual_seed(41)
    common, own = (torch.randn(1000, 1, generator=draw) for _ in range(2))
    x = torch.cat([common + 0.02 * own, common - 0.02 * own], 1)
    if cured:
        x = torch.cat([common, own], 1)
    y = common + own + 0.05 * torch.randn(1000, 1, generator=draw)
    y = y / y.std()
    data = (x[:700], y[:700]), (x[700:], y[700:])
    return Plan(data, nn.Linear(2, 1), F.mse_loss, sgd(0.1), 15, score=explained)


def rounded_away(cured: bool, watch: Watch) -> Trained:
    """Weights of eight bits, which steps as small as these do not reach."""
    (x, y), (xv, yv) = sets.digits()
    kind = torch.float32 if cured else torch.bfloat16
    model = dense(64, 96, 10).to(kind)
    opt = optim.Adam(model.parameters(), lr=1e-4)
    x, xv = x.to(kind), xv.to(kind)
    with watch(model, opt) as watching:
        for chosen in batches(len(x), 16, 12):
            loss = F.cross_entropy(model(x[chosen]).float(), y[chosen])
            opt.zero_grad()
            loss.backward()
            opt.step()
            watching.step(loss, target=y[chosen])
    return Trained(
        watching,
        right(model(xv).float(), yv),
        known(torch.cat([x, xv]), torch.cat([y, yv]), len(x)),
    )


HIGH = ("learning_rate_too_high", "dead_units", "not_finite", "exploding_gradient")
LOW = ("learning_rate_too_low",)
DECAY = ("weight_decay_too_strong",)
SCHEDULE = ("schedule_collapsed",)
PAIRS = [
    planned("shapes: SGD 4", "shapes: SGD .1", HIGH, far_shapes, 0.5, 0.85),
    planned("arm: Adam 1", "arm: Adam .003", HIGH, far_reach, 0.5, 0.9),
    Pair("sensor: RMSprop .3", "sensor: RMSprop .003", HIGH, far_sensor, 0.7, 0.85),
    planned("signals: Adam 1e-5", "signals: Adam at .005", LOW, near_signals, 0.6, 0.8),
    planned("flats: SGD 1e-4", "flats: SGD .05", LOW, near_rent, 0.8, 0.9),
    Pair("digits: never warm", "digits: warm in time", LOW, never_warm, 0.75, 0.88),
    planned("genes: AdamW decays by 60", "genes: AdamW decays by .01", DECAY, decayed, 0.65, 0.8),
    planned("shapes: decay .1", "shapes: decay .0001", DECAY, decayed_shapes, 0.5, 0.85),
    Pair(
        "hastie: a penalty of .1",
        "hastie: a penalty of .00001",
        (*DECAY, "loss_terms_unbalanced"),
        penalty_by_hand,
        0.65,
        0.85,
    ),
    planned(
        "circuit: less each batch",
        "circuit: less each epoch",
        SCHEDULE,
        halved_each_batch,
        0.75,
        0.85,
    ),
    planned("sensor: tenths each epoch", "sensor: tenths in time", SCHEDULE, tenths, 0.75, 0.9),
    planned(
        "digits: epsilon 10",
        "digits: epsilon 1e-8",
        ("optimizer_setting", "learning_rate_too_low"),
        large_epsilon,
        0.6,
        0.88,
    ),
    planned(
        "arm: momentum .999",
        "arm: momentum .9",
        ("optimizer_setting", "learning_rate_too_high"),
        heavy_momentum,
        0.7,
        0.8,
    ),
    planned(
        "near copies: as they are",
        "near copies: sum and difference",
        ("ill_conditioned",),
        near_copies,
        0.75,
        0.9,
    ),
    Pair(
        "digits: weights of bfloat16",
        "digits: weights of float32",
        ("updates_rounded_away",),
        rounded_away,
        0.7,
        0.8,
    ),
]
