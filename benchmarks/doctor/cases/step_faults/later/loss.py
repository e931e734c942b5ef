"""Losses that do not fit the output, the target or the question."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.cases.step_faults.later import sets
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, logits, planned, sgd
from benchmarks.doctor.networks import dense


class Signals(nn.Module):
    """Convolutions in time, their mean, and a layer; with an ending or without."""

    def __init__(self, end: nn.Module | None = None, classes: int = 4) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 24, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(4), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Linear(96, classes)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        x = self.classifier(self.features(x))
        return x if self.end is None else self.end(x)


class Forecast(nn.Module):
    """An LSTM over the hours, and the next one from its last state."""

    def __init__(self, end: nn.Module | None = None) -> None:
        super().__init__()
        self.lstm, self.linear, self.end = nn.LSTM(1, 24, batch_first=True), nn.Linear(24, 1), end

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(self.lstm(x)[0][:, -1])
        return y if self.end is None else self.end(y)


def softmax_twice(cured: bool) -> Plan:
    """The loss has a high floor, and a faint slope above it."""
    end = None if cured else nn.Softmax(dim=-1)
    return Plan(sets.digits(), dense(64, 64, 10, end=end), nn.CrossEntropyLoss(), sgd(0.05), 10)


def softmax_of_signals(cured: bool) -> Plan:
    end = None if cured else nn.Softmax(dim=1)
    return Plan(sets.signals(), Signals(end), nn.CrossEntropyLoss(), sgd(0.05, momentum=0.5), 15)


def sigmoid_twice(cured: bool, watch: Watch) -> Trained:
    """The network ends in a sigmoid, the loss has its own, and so has the report."""
    (x, y), (xv, yv) = sets.hastie()
    net = nn.Sequential(
        nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    )
    if not cured:
        net.append(nn.Sigmoid())
    criterion = nn.BCEWithLogitsLoss()
    optimizer = optim.Adam(net.parameters(), lr=2e-3)
    with watch(net, optimizer) as watching:
        for _ in range(15):
            net.train()
            for chosen in batches(len(x), 50, 1):
                optimizer.zero_grad()
                loss = criterion(net(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    net.eval()
    with torch.no_grad():
        said = torch.sigmoid(net(xv)) > 0.5
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), criterion)
    return Trained(watching, float((said == (yv > 0.5)).double().mean()), data)


def one_softmax(cured: bool) -> Plan:
    """Softmax over one unit is always 1."""
    end = nn.Sigmoid() if cured else nn.Softmax(dim=1)
    model = dense(30, 24, 1, end=end)
    return Plan(sets.tumours(), model, nn.BCELoss(), adam(3e-3), 15, score=above(0.5))


def no_logarithm(cured: bool) -> Plan:
    end = nn.LogSoftmax(dim=1) if cured else nn.Softmax(dim=1)
    model = dense(64, 64, 10, activation=nn.Tanh, end=end)
    return Plan(sets.digits(), model, nn.NLLLoss(), sgd(0.1), 6)


def clipped_forecast(cured: bool) -> Plan:
    """Half of the hours lie below 0, where the last ReLU cannot go."""
    end = None if cured else nn.ReLU()
    return Plan(sets.load(), Forecast(end), F.mse_loss, adam(1e-2), 12, score=explained)


def rent_as_a_share(cured: bool) -> Plan:
    """Rents of several hundred euros from a sigmoid; cured, in thousands and with no end."""
    (x, y), (xv, yv) = sets.flats(priced=True)
    if cured:
        return Plan(
            ((x, y / 1000), (xv, yv / 1000)),
            dense(5, 40, 40, 1),
            F.mse_loss,
            adam(5e-3),
            25,
            score=explained,
        )
    model = dense(5, 40, 40, 1, end=nn.Sigmoid())
    return Plan(((x, y), (xv, yv)), model, F.mse_loss, adam(5e-3), 25, score=explained)


def broadcast_reach(cured: bool, watch: Watch) -> Trained:
    """Targets [B] against outputs [B, 1], in a loop with a DataLoader."""
    (x, y), (xv, yv) = sets.arm()
    loader = DataLoader(TensorDataset(x, y.squeeze(1)), batch_size=64, shuffle=True)
    model = nn.Sequential(
        nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
    )
    loss_fn = nn.MSELoss()
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(25):
            for xb, yb in loader:
                pred = model(xb)
                loss = loss_fn(pred.squeeze(1) if cured else pred, yb)
                descend(watching, optimizer, loss, yb)
    return Trained(
        watching, explained(model(xv), yv), {"train": (x, y[:, 0]), "valid": (xv, yv[:, 0])}
    )


def broadcast_forecast(cured: bool) -> Plan:
    """The error is written by hand, between [B, 1] and [B]."""

    def loss(output: Tensor, y: Tensor) -> Tensor:
        return (output - (y if cured else y.reshape(-1))).abs().mean()

    return Plan(sets.load(), Forecast(), loss, adam(1e-2), 12, score=explained)


def number_of_the_class(cured: bool) -> Plan:
    """The class is told as a number, by a squared error."""

    def nearest(output: Tensor, y: Tensor) -> float:
        return float((output.squeeze(1).round() == y).double().mean())

    def squared(output: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(output.squeeze(1), y.float())

    if cured:
        return Plan(sets.genes(), dense(20, 64, 4), F.cross_entropy, adam(2e-3), 20)
    return Plan(sets.genes(), dense(20, 64, 1), squared, adam(2e-3), 20, score=nearest)


def one_label_of_five(cured: bool) -> Plan:
    """Labels of which several hold, by a softmax that shares out 1."""
    if cured:
        return Plan(sets.tags(), dense(16, 64, 5), logits, adam(3e-3), 25, score=above(0))

    def shared(output: Tensor, y: Tensor) -> Tensor:
        return -(y * output.log_softmax(1)).sum(1).mean()

    def share(output: Tensor, y: Tensor) -> float:
        return above(0.5)(output.softmax(1), y)

    return Plan(sets.tags(), dense(16, 64, 5), shared, adam(3e-3), 25, score=share)


def hinge_of_zeros(cured: bool) -> Plan:
    """A hinge wants -1 and 1, and is told 0 and 1."""

    def hinge(output: Tensor, y: Tensor) -> Tensor:
        return F.relu(1 - (2 * y - 1 if cured else y) * output).mean()

    return Plan(sets.hastie(), dense(10, 64, 1), hinge, adam(5e-3), 15, score=above(0))


def uphill(cured: bool, watch: Watch) -> Trained:
    """A log-likelihood is what is minimised."""
    (x, y), (xv, yv) = sets.wine()
    net = dense(13, 32, 3, activation=nn.Tanh)
    optimizer = optim.SGD(net.parameters(), lr=0.05)
    with watch(net, optimizer) as watching:
        for chosen in batches(len(x), 20, 40):
            log_p = F.log_softmax(net(x[chosen]), dim=1)
            likelihood = log_p[torch.arange(len(chosen)), y[chosen]].mean()
            loss = -likelihood if cured else likelihood
            descend(watching, optimizer, loss, y[chosen])
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x))
    return Trained(watching, right(net(xv), yv), data)


def summed(cured: bool) -> Plan:
    loss = nn.MSELoss(reduction="mean" if cured else "sum")
    model = dense(4, 48, 48, 1)
    return Plan(sets.circuit(), model, loss, sgd(0.05, momentum=0.9), 15, 64, score=explained)


def kinds_and_amounts(cured: bool, watch: Watch) -> Trained:
    """A group and an amount from one body; the errors are of very different size."""
    (x, y), (xv, yv) = sets.genes()
    unit = 1.0 if cured else 300.0
    amount = unit * x[:, :4].abs().sum(1)

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(20, 24), nn.ReLU())
            self.kind, self.amount = nn.Linear(24, 4), nn.Linear(24, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = self.body(x)
            return self.kind(h), self.amount(h).squeeze(1)

    net = Two()
    optimizer = optim.Adam(net.parameters(), lr=5e-3)
    with watch(net, optimizer) as watching:
        for chosen in batches(len(x), 32, 25):
            kind, number = net(x[chosen])
            parts = {
                "kind": F.cross_entropy(kind, y[chosen]),
                "amount": F.mse_loss(number, amount[chosen]),
            }
            loss = parts["kind"] + parts["amount"]
            descend(watching, optimizer, loss, y[chosen], parts=parts)
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x))
    return Trained(watching, right(net(xv)[0], yv), data)


MISMATCH = ("output_loss_mismatch",)
RANGE = ("target_out_of_range", "output_loss_mismatch", "saturated_units", "targets_unscaled")
PAIRS = [
    planned("digits: softmax twice", "digits: softmax once", MISMATCH, softmax_twice, 0.7, 0.85),
    planned(
        "signals: softmax twice", "signals: softmax once", MISMATCH, softmax_of_signals, 0.7, 0.8
    ),
    Pair("hastie: sigmoid twice", "hastie: sigmoid once", MISMATCH, sigmoid_twice, 0.7, 0.85),
    planned("tumours: softmax of one", "tumours: sigmoid", MISMATCH, one_softmax, 0.7, 0.9),
    planned(
        "digits: a logarithm forgotten",
        "digits: LogSoftmax at the end",
        MISMATCH,
        no_logarithm,
        0.7,
        0.85,
    ),
    planned(
        "load: a ReLU at the end",
        "load: no end",
        ("output_loss_mismatch", "target_out_of_range"),
        clipped_forecast,
        0.75,
        0.85,
    ),
    planned("flats: euros by a sigmoid", "flats: thousands", RANGE, rent_as_a_share, 0.0, 0.8),
    Pair(
        "arm: [B, 1] and [B]",
        "arm: [B] and [B]",
        ("target_shape_mismatch",),
        broadcast_reach,
        0.2,
        0.9,
    ),
    planned(
        "load: [B, 1] and [B] by hand",
        "load: [B, 1] twice",
        ("target_shape_mismatch",),
        broadcast_forecast,
        0.2,
        0.8,
    ),
    planned(
        "genes: the class as a number",
        "genes: the class",
        ("loss_unsuited",),
        number_of_the_class,
        0.7,
        0.8,
    ),
    planned(
        "tags: shared out", "tags: each its own", ("loss_unsuited",), one_label_of_five, 0.75, 0.8
    ),
    planned(
        "hastie: a hinge of 0 and 1",
        "hastie: a hinge of -1 and 1",
        ("target_out_of_range", "loss_unsuited"),
        hinge_of_zeros,
        0.6,
        0.85,
    ),
    Pair("wine: likelihood descended", "wine: ascended", ("loss_sign",), uphill, 0.4, 0.9),
    planned(
        "circuit: a sum",
        "circuit: a mean",
        ("loss_scale", "learning_rate_too_high"),
        summed,
        0.3,
        0.85,
    ),
    Pair(
        "genes: amounts in the hundreds",
        "genes: amounts near 1",
        ("loss_terms_unbalanced",),
        kinds_and_amounts,
        0.77,
        0.84,
    ),
]
