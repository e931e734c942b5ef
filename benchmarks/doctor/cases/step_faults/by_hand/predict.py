"""Networks that are wrong before there is a loss: axes, modes, places and units."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained
from benchmarks.doctor.cases.step_faults.by_hand import drawn
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, logits, planned
from benchmarks.doctor.networks import dense


def no_places(cured: bool, watch: Watch) -> Trained:
    """A reader whose words have no places."""
    train, valid = drawn.sentences()
    model = drawn.Reader(places=cured)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for _epoch in range(12):
            model.train()
            for words, label in DataLoader(TensorDataset(*train), 48, shuffle=True):
                optimizer.zero_grad()
                loss = criterion(model(words), label)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=label)
    known = {"train": train, "valid": valid, "loss_fn": criterion}
    return Trained(watching, accuracy(model, *valid), known)


def three_lines(cured: bool) -> Plan:
    """Three layers with batch norm between, and the activation forgotten."""
    layers: list[nn.Module] = []
    for inputs in (2, 32, 32):
        layers += [nn.Linear(inputs, 32), nn.BatchNorm1d(32)] + [nn.ReLU()] * cured
    model = nn.Sequential(*layers, nn.Linear(32, 3))
    return Plan(drawn.spirals(), model, F.cross_entropy, adam(5e-3), 25, loader=True)


def low_thresholds(cured: bool) -> Plan:
    """Biases far below what the inputs reach, so that no unit of the second layer answers."""
    model = dense(3, 48, 32, 1)
    if not cured:
        nn.init.constant_(model.get_parameter("2.bias"), -12.0)
    return Plan(drawn.roll(), model, F.mse_loss, adam(5e-3), 30, score=explained)


class Dropping(nn.Module):
    """Dropout as a function, which does not know of `eval()` unless it is told."""

    def __init__(self, aware: bool) -> None:
        super().__init__()
        self.aware = aware
        self.first, self.second = nn.Linear(10, 160), nn.Linear(160, 160)
        self.last = nn.Linear(160, 1)

    def forward(self, x: Tensor) -> Tensor:
        switch = {"training": self.training} if self.aware else {}
        h = F.dropout(torch.relu(self.first(x)), 0.75, **switch)
        h = F.dropout(torch.relu(self.second(h)), 0.75, **switch)
        answer: Tensor = self.last(h)
        return answer


def dropout_function(cured: bool, watch: Watch) -> Trained:
    (x, y), (xv, yv) = drawn.hastie()
    net = Dropping(cured)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    with watch(net, optimizer) as watching:
        for _ in range(25):
            net.train()
            for batch in torch.randperm(len(x)).split(64):
                descend(watching, optimizer, logits(net(x[batch]), y[batch]), y[batch])
            net.eval()
            with torch.no_grad():
                answers = net(xv)
            watching.valid(loss=float(logits(answers, yv)), score=above(0)(answers, yv))
    with torch.no_grad():
        score = above(0)(net(xv), yv)
    return Trained(
        watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": nn.BCEWithLogitsLoss()}
    )


class Shares(nn.Module):
    """An LSTM over days; the last state of each sample says yes or no."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 20, batch_first=batch_first)
        self.out = nn.Linear(20, 1)

    def forward(self, days: Tensor) -> Tensor:
        states, _ = self.lstm(days)
        answer: Tensor = self.out(states[:, -1])
        return answer


def days_as_samples(cured: bool, watch: Watch) -> Trained:
    """The memory runs over the samples of a batch, as is PyTorch's default."""
    (x, y), (xv, yv) = drawn.walks()
    model = Shares(batch_first=cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss_fn = nn.BCEWithLogitsLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 30, 8):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = above(0)(model(xv), yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


PAIRS: list[Pair] = [
    Pair(
        "sentences: words without places",
        "sentences: words with places",
        ("order_blind",),
        no_places,
        0.62,
        0.85,
    ),
    planned(
        "spirals: batch norm, no activation",
        "spirals: batch norm and ReLU",
        ("no_nonlinearity",),
        three_lines,
        0.7,
        0.9,
    ),
    planned(
        "roll: biases of -12",
        "roll: biases as drawn",
        ("dead_units",),
        low_thresholds,
        0.1,
        0.85,
    ),
    Pair(
        "hastie: dropout that eval does not reach",
        "hastie: dropout with training=self.training",
        ("mode_mismatch",),
        dropout_function,
        0.81,
        0.85,
    ),
    Pair(
        "walks: an LSTM over the batch",
        "walks: an LSTM over the days",
        ("samples_mixed",),
        days_as_samples,
        0.7,
        0.88,
    ),
]
