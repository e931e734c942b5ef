"""Batches in the wrong units, order, company or number."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, right
from benchmarks.doctor.cases.step_faults.blind import samples
from benchmarks.doctor.cases.step_faults.plan import Plan, adam, planned, sgd
from benchmarks.doctor.data import Data, digits
from benchmarks.doctor.networks import dense


def of_twelve_bits(data: Data) -> Data:
    """Pixels of 0..1 as a camera of twelve bits counts them."""
    (x, y), (xv, yv) = data
    return (4095 * x, y), (4095 * xv, yv)


def raw_camera(cured: bool) -> Plan:
    """Pixels of 0..4095 for units of tanh, at a rate for pixels of 0..1."""
    data = digits() if cured else of_twelve_bits(digits())
    model = dense(64, 48, 10, activation=nn.Tanh)
    return Plan(data, model, F.cross_entropy, sgd(0.1, momentum=0.9), 10)


def ways_in_metres(cured: bool, watch: Watch) -> Trained:
    """How far a stroll led, in metres: up to some thousands."""
    (x, y), (xv, yv) = samples.strolls()
    if not cured:
        y, yv = 900 * y + 3000, 900 * yv + 3000
    model = samples.Ear(2, 1, 20)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss_fn = nn.MSELoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 50, 12):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = explained(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


def words_by_class(cured: bool, watch: Watch) -> Trained:
    """All orders of one class, then all of the other, epoch after epoch."""
    train, valid = samples.orders()
    sort = train[1].argsort(stable=True)
    x, y = train[0][sort], train[1][sort]
    model = samples.Clerk()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    loader = DataLoader(TensorDataset(x, y), batch_size=20, shuffle=cured)
    with watch(model, optimizer) as watching:
        for _ in range(8):
            for words, label in loader:
                descend(watching, optimizer, F.cross_entropy(model(words), label), label)
    known = {"train": (x, y), "valid": valid, "loss_fn": F.cross_entropy}
    return Trained(watching, accuracy(model, *valid), known)


def one_batch_for_ever(cured: bool, watch: Watch) -> Trained:
    """A batch is taken from the loader before the loop, to look at its shapes, and stays in use."""
    (x, y), (xv, yv) = samples.strolls()
    loader = DataLoader(TensorDataset(x, y), batch_size=25, shuffle=True)
    model = samples.Ear(2, 1, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    steps, way = next(iter(loader))
    with watch(model, optimizer) as watching:
        for _epoch in range(8):
            for batch_steps, batch_way in loader:
                if cured:
                    steps, way = batch_steps, batch_way
                descend(watching, optimizer, F.mse_loss(model(steps), way), way)
    with torch.no_grad():
        score = explained(model(xv), yv)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.mse_loss}
    return Trained(watching, score, known)


def a_loader_each(cured: bool, watch: Watch) -> Trained:
    """Pictures from one loader that shuffles, their letters from another."""
    (x, y), (xv, yv) = samples.plates()
    model = samples.glance(8, 16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    pictures = DataLoader(TensorDataset(x), batch_size=30, shuffle=not cured)
    letters = DataLoader(TensorDataset(y), batch_size=30, shuffle=not cured)
    with watch(model, optimizer) as watching:
        for _ in range(8):
            for (picture,), (letter,) in zip(pictures, letters, strict=True):
                descend(watching, optimizer, F.cross_entropy(model(picture), letter), letter)
    with torch.no_grad():
        score = right(model(xv), yv)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, score, known)


def both_kinds(output: Tensor, y: Tensor) -> float:
    """The mean of the shares of right answers of either kind."""
    answer, truth = output > 0, y > 0.5
    return float((answer[truth].double().mean() + (~answer[~truth]).double().mean()) / 2)


def three_of_a_hundred(cured: bool) -> Plan:
    """Boats with a drag among the highest three of a hundred, which weigh no more than others."""

    def rare(y: Tensor) -> Tensor:
        return (y > 1.9).float()

    (x, y), (xv, yv) = samples.hull()
    weight = torch.tensor([1 / float(rare(y).mean())]) if cured else None
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=weight)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
    return Plan(
        ((x, rare(y)), (xv, rare(yv))), model, loss_fn, adam(3e-3), 10, 30, both_kinds, loader=True
    )


def newest_note_first(cured: bool, watch: Watch) -> Trained:
    """What is judged comes from a table with the newest note first."""
    (x, y), (xv, yv) = samples.melodies()
    if not cured:
        xv = xv.flip(1)
    model = samples.Ear(1, 3, 16, nn.LSTM)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _ in range(8):
            for chosen in batches(len(x), 30, 1):
                descend(
                    watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen]
                )
            with torch.no_grad():
                answers = model(xv)
            watching.valid(loss=float(F.cross_entropy(answers, yv)), score=right(answers, yv))
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watching, right(answers, yv), known)


PAIRS: list[Pair] = [
    planned(
        "pixels: 0 to 4095, tanh",
        "pixels: 0 to 1, tanh",
        ("inputs_unscaled", "saturated_units"),
        raw_camera,
        0.8,
        0.9,
    ),
    Pair(
        "strolls: ways in metres",
        "strolls: ways standardised",
        ("targets_unscaled",),
        ways_in_metres,
        0.1,
        0.8,
    ),
    Pair(
        "orders: one class after the other",
        "orders: the classes mixed",
        ("not_shuffled",),
        words_by_class,
        0.7,
        0.9,
    ),
    Pair(
        "strolls: a batch from before the loop",
        "strolls: the batches of the loop",
        ("same_batch_again",),
        one_batch_for_ever,
        0.5,
        0.8,
    ),
    Pair(
        "plates: pictures and letters from a loader each",
        "plates: pictures and letters in one order",
        ("labels_unrelated",),
        a_loader_each,
        0.5,
        0.85,
    ),
    planned(
        "hull: three of a hundred, weighed alike",
        "hull: three of a hundred, weighed by their number",
        ("class_imbalance",),
        three_of_a_hundred,
        0.7,
        0.85,
    ),
    Pair(
        "melodies: judged with the newest note first",
        "melodies: judged with the oldest note first",
        ("train_valid_mismatch",),
        newest_note_first,
        0.6,
        0.86,
    ),
]
