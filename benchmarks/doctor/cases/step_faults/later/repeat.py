"""Data that come in the wrong size, order or company."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.cases.step_faults.later import sets
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, logits, planned, sgd
from benchmarks.doctor.data import Data
from benchmarks.doctor.networks import dense


class Filters(nn.Module):
    """Convolutions in time over [N, channels, T]."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, 16, 5, padding=2)
        self.conv2 = nn.Conv1d(16, 16, 5, padding=2)
        self.fc = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return self.fc(x.mean(2))


def small_cnn(channels: int = 1) -> nn.Sequential:
    """For [N, channels, 12, 12]."""
    return nn.Sequential(
        nn.Conv2d(channels, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(144, 4),
    )  # fmt: skip


def balanced(output: Tensor, y: Tensor) -> float:
    """The mean recall of yes and no."""
    said, yes = output.reshape(y.shape) > 0, y > 0.5
    return float((said[yes].double().mean() + (~said[~yes]).double().mean()) / 2)


def raw_rent(cured: bool) -> Plan:
    data = sets.flats(scaled=cured)
    model = dense(5, 32, 32, 1, activation=nn.Tanh)
    return Plan(data, model, F.mse_loss, adam(2e-3), 25, score=explained)


def raw_wine(cured: bool, watch: Watch) -> Trained:
    """A table is read and trained on as it is."""
    (x, y), (xv, yv) = sets.wine(scaled=False)
    if cured:
        mean, std = x.mean(0), x.std(0)
        x, xv = (x - mean) / std, (xv - mean) / std
    model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _ in range(60):
            for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
                optimizer.zero_grad()
                loss = criterion(model(xb), yb)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=yb)
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), criterion)
    return Trained(watching, right(model(xv), yv), data)


def raw_impedance(cured: bool) -> Plan:
    model = dense(4, 48, 48, 1, activation=nn.ELU)
    return Plan(sets.circuit(scaled=cured), model, F.mse_loss, adam(1e-3), 8, score=explained)


def raw_rent_in_euros(cured: bool) -> Plan:
    make = sgd(0.01, momentum=0.9)
    data = sets.flats(priced=not cured)
    return Plan(data, dense(5, 48, 48, 1), F.mse_loss, make, 15, score=explained)


def ordered(data: Data) -> Data:
    """The training samples, one class after another."""
    (x, y), valid = data
    order = y.reshape(len(y), -1)[:, 0].argsort(stable=True)
    return (x[order], y[order]), valid


def class_by_class(cured: bool) -> Plan:
    data = ordered(sets.shapes())
    return Plan(data, small_cnn(), F.cross_entropy, sgd(0.05, momentum=0.9), 15, shuffle=cured)


def class_by_class_loader(cured: bool, watch: Watch) -> Trained:
    """`shuffle=True` is missing, and the folders were read one after another."""
    data = ordered(sets.signals())
    train, (xv, yv) = data
    model = Filters(1, 4)
    opt = optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, opt) as watching:
        for _ in range(12):
            for xb, yb in DataLoader(TensorDataset(*train), batch_size=20, shuffle=cured):
                descend(watching, opt, F.cross_entropy(model(xb), yb), yb)
    return Trained(
        watching,
        right(model(xv), yv),
        {"train": train, "valid": data[1], "loss_fn": F.cross_entropy},
    )


def first_of_the_loader(cured: bool, watch: Watch) -> Trained:
    """`next(iter(loader))` stands within the loop."""
    data = sets.genes()
    train, (xv, yv) = data
    loader = DataLoader(TensorDataset(*train), batch_size=24)
    model = dense(20, 48, 4)
    opt = optim.Adam(model.parameters(), lr=3e-3)
    batch = iter(loader)
    with watch(model, opt) as watching:
        for _ in range(500):
            if cured:
                try:
                    xb, yb = next(batch)
                except StopIteration:
                    batch = iter(loader)
                    xb, yb = next(batch)
            else:
                xb, yb = next(iter(loader))
            descend(watching, opt, F.cross_entropy(model(xb), yb), yb)
    return Trained(
        watching,
        right(model(xv), yv),
        {"train": train, "valid": data[1], "loss_fn": F.cross_entropy},
    )


def shuffled_apart(cured: bool) -> Plan:
    (x, y), valid = sets.arm()
    if not cured:
        y = y[torch.randperm(len(y))]
    return Plan(((x, y), valid), dense(4, 48, 48, 1), F.mse_loss, adam(3e-3), 20, score=explained)


def sorted_labels(cured: bool) -> Plan:
    """The labels came from a list in another order than the pictures."""
    (x, y), valid = sets.shapes()
    if not cured:
        y = y.sort().values
    return Plan(((x, y), valid), small_cnn(), F.cross_entropy, adam(3e-3), 15)


def noisy_genes(cured: bool) -> Plan:
    data = sets.genes(noise=0.0 if cured else 0.5)
    return Plan(data, dense(20, 96, 96, 4), F.cross_entropy, adam(2e-3), 25)


def seldom(cured: bool) -> Plan:
    """Four of a hundred are a yes, and a loss that does not weigh them says no."""

    def loss(output: Tensor, y: Tensor) -> Tensor:
        weight = torch.tensor(15.0) if cured else None
        return F.binary_cross_entropy_with_logits(output, y, pos_weight=weight)

    return Plan(sets.rare(), dense(8, 16, 1), loss, adam(2e-3), 12, score=balanced)


def scaled_for_training_alone(cured: bool) -> Plan:
    (x, y), (xv, yv) = sets.tumours(scaled=False)
    mean, std = x.mean(0), x.std(0)
    data = ((x - mean) / std, y), ((xv - mean) / std if cured else xv, yv)
    return Plan(data, dense(30, 24, 1), logits, adam(3e-3), 15, score=above(0))


def other_columns(cured: bool) -> Plan:
    """The file to be judged by has its columns in another order."""
    train, (xv, yv) = sets.flats()
    order = [0, 1, 2, 3, 4] if cured else [3, 0, 1, 4, 2]
    data = train, (xv[:, order], yv)
    return Plan(data, dense(5, 40, 40, 1), F.mse_loss, adam(3e-3), 20, score=explained)


def missing_values(cured: bool) -> Plan:
    """Some ages are missing, and are read as NaN."""
    (x, y), valid = sets.genes()
    x = x.clone()
    x[torch.rand(len(x)) < 0.02, 3] = 0.0 if cured else float("nan")
    return Plan(((x, y), valid), dense(20, 48, 4), F.cross_entropy, adam(3e-3), 20)


def axes_by_reshape(cured: bool) -> Plan:
    """Pictures [N, 12, 12, 3] are made [N, 3, 12, 12] by `reshape`, which moves no pixel."""

    def coloured(x: Tensor) -> Tensor:
        x = torch.stack([x[:, 0], *0.4 * torch.rand(2, len(x), 12, 12)], 3)
        return x.permute(0, 3, 1, 2).contiguous() if cured else x.reshape(len(x), 3, 12, 12)

    (x, y), (xv, yv) = sets.shapes()
    data = (coloured(x), y), (coloured(xv), yv)
    return Plan(data, small_cnn(3), F.cross_entropy, adam(3e-3), 20)


def one_at_a_time(cured: bool) -> Plan:
    make, epochs, size = sgd(0.02, momentum=0.9), 20 if cured else 6, 50 if cured else 1
    return Plan(sets.genes(), dense(20, 48, 4), F.cross_entropy, make, epochs, size)


def answer_among_the_columns(cured: bool, watch: Watch) -> Trained:
    """A column was worked out from the answer; whoever asks later does not have it."""
    (x, y), (xv, yv) = sets.hastie()
    noise = 0.3 * torch.randn(len(x) + len(xv), 1)
    told = 2 * torch.cat([y, yv]) - 1 + noise
    if cured:
        told = torch.randn_like(told)
    x, later = torch.cat([x, told[: len(x)]], 1), torch.cat([xv, torch.zeros_like(yv)], 1)
    xv = torch.cat([xv, told[len(x) :]], 1)
    model = dense(11, 48, 1)
    opt = optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, opt) as watching:
        for chosen in batches(len(x), 50, 20):
            descend(watching, opt, logits(model(x[chosen]), y[chosen]), y[chosen])
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), logits)
    return Trained(watching, above(0)(model(later), yv), data)


SCALED = ("inputs_unscaled",)
TARGETS = ("targets_unscaled",)
ORDER = ("not_shuffled",)
UNRELATED = ("labels_unrelated",)
APART = ("train_valid_mismatch",)
PAIRS = [
    planned("flats: raw into tanh", "flats: scaled into tanh", SCALED, raw_rent, 0.6, 0.9),
    Pair("wine: as it is", "wine: standardised", SCALED, raw_wine, 0.8, 0.9),
    planned("circuit: raw targets", "circuit: scaled targets", TARGETS, raw_impedance, 0.7, 0.9),
    planned(
        "flats: raw targets",
        "flats: scaled targets",
        (*TARGETS, "learning_rate_too_high"),
        raw_rent_in_euros,
        0.6,
        0.9,
    ),
    planned("shapes: class by class", "shapes: mixed", ORDER, class_by_class, 0.6, 0.85),
    Pair("signals: class by class", "signals: mixed", ORDER, class_by_class_loader, 0.8, 0.9),
    Pair(
        "genes: the first batch for ever",
        "genes: batch after batch",
        ("same_batch_again", "overfitting"),
        first_of_the_loader,
        0.7,
        0.8,
    ),
    planned("arm: shuffled apart", "arm: shuffled together", UNRELATED, shuffled_apart, 0.2, 0.9),
    planned("shapes: sorted labels", "shapes: own labels", UNRELATED, sorted_labels, 0.5, 0.85),
    planned(
        "genes: half of the labels wrong",
        "genes: right labels",
        ("label_noise", "overfitting"),
        noisy_genes,
        0.75,
        0.85,
    ),
    planned("seldom: not weighed", "seldom: weighed", ("class_imbalance",), seldom, 0.68, 0.75),
    planned(
        "tumours: scaled for training alone",
        "tumours: scaled for both",
        APART,
        scaled_for_training_alone,
        0.8,
        0.92,
    ),
    planned(
        "flats: other columns",
        "flats: the same columns",
        (*APART, "inputs_scrambled"),
        other_columns,
        0.4,
        0.9,
    ),
    planned(
        "genes: missing values",
        "genes: filled values",
        ("inputs_not_finite", "not_finite"),
        missing_values,
        0.4,
        0.8,
    ),
    planned(
        "colours: axes by reshape",
        "colours: axes by permute",
        ("inputs_scrambled",),
        axes_by_reshape,
        0.85,
        0.93,
    ),
    planned(
        "genes: one at a time",
        "genes: fifty at a time",
        ("batch_too_small", "learning_rate_too_high"),
        one_at_a_time,
        0.7,
        0.8,
    ),
    Pair(
        "hastie: the answer among the columns",
        "hastie: noise among the columns",
        ("target_in_input",),
        answer_among_the_columns,
        0.75,
        0.8,
    ),
]
