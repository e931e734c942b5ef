"""Gradients that do not come, pile up, are thrown away, or are no numbers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.cases.step_faults.later import sets
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, logits, planned, sgd
from benchmarks.doctor.data import Data
from benchmarks.doctor.networks import dense


def result(watching: object, network: nn.Module, data: Data, score: float | None = None) -> Trained:
    """What became of a classifier of `data`, and what it is judged on."""
    (x, y), (xv, yv) = data
    network.eval()
    with torch.no_grad():
        score = right(network(xv), yv) if score is None else score
    return Trained(
        watching, score, known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.cross_entropy)
    )


class Loop(nn.Module):
    """h ← relu(W h + U x) over the hours, W a multiple of the identity at the start."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.w, self.u, self.out = nn.Linear(20, 20), nn.Linear(1, 20), nn.Linear(20, 1)
        nn.init.eye_(self.w.weight)
        self.w.weight.data *= gain

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), 20)
        for t in range(x.shape[1]):
            h = F.relu(self.w(h) + self.u(x[:, t]))
        return self.out(h)


class Branches(nn.Module):
    """Three branches over parts of the columns, in a list of Python's or of PyTorch's."""

    def __init__(self, registered: bool) -> None:
        super().__init__()
        branches = [nn.Sequential(nn.Linear(20, 2), nn.Tanh()) for _ in range(3)]
        self.branches = nn.ModuleList(branches) if registered else branches
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.cat([branch(x) for branch in self.branches], dim=1))


class Encoder(nn.Module):
    """A narrow encoder whose codes pass through numpy, or do not."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
        self.decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 10))
        self.whole = whole

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x)
        if not self.whole:
            code = torch.tensor(code.detach().numpy())
        return self.decoder(code)


class Contrast(nn.Module):
    """Each picture is divided by its own spread first."""

    def __init__(self, guarded: bool) -> None:
        super().__init__()
        self.net = dense(64, 48, 10)
        self.guarded = guarded

    def forward(self, x: Tensor) -> Tensor:
        spread = x.std(dim=1, keepdim=True)
        if self.guarded:
            spread = spread + 1e-3
        return self.net((x - x.mean(dim=1, keepdim=True)) / spread)


def piled_up(cured: bool, watch: Watch) -> Trained:
    """`zero_grad` was forgotten in a loop over a DataLoader."""
    data = sets.signals()
    net = nn.Sequential(
        nn.Conv1d(1, 12, 7, padding=3), nn.ReLU(), nn.AvgPool1d(4),
        nn.Flatten(), nn.Linear(120, 32), nn.ReLU(), nn.Linear(32, 4),
    )  # fmt: skip
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.05)
    with watch(net, optimizer) as watching:
        for _ in range(25):
            for inputs, labels in DataLoader(TensorDataset(*data[0]), batch_size=25, shuffle=True):
                if cured:
                    optimizer.zero_grad()
                loss = criterion(net(inputs), labels)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=labels)
    return result(watching, net, data)


def piled_up_numbers(cured: bool) -> Plan:
    model = dense(4, 40, 40, 1, activation=nn.SiLU)
    return Plan(sets.circuit(), model, F.mse_loss, sgd(0.05), 20, 45, score=explained, clear=cured)


def cleared_too_soon(cured: bool, watch: Watch) -> Trained:
    """The gradients are cleared between the backward pass and the step."""
    data = sets.genes()
    (x, y), _ = data
    net = dense(20, 48, 4)
    optimizer = optim.Adam(net.parameters(), lr=3e-3)
    with watch(net, optimizer) as watching:
        for chosen in batches(len(x), 30, 20):
            if cured:
                optimizer.zero_grad()
            loss = F.cross_entropy(net(x[chosen]), y[chosen])
            loss.backward()
            if not cured:
                optimizer.zero_grad(set_to_none=False)
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return result(watching, net, data)


def half_of_the_batches(cured: bool, watch: Watch) -> Trained:
    """Eight small batches make a step; the gradients of seven are thrown away."""
    data = sets.shapes()
    (x, y), _ = data
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 4),
    )  # fmt: skip
    optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.8)
    with watch(net, optimizer) as watching:
        for _ in range(16):
            for i, chosen in enumerate(torch.randperm(len(x)).split(4)):
                if not cured or i % 8 == 0:
                    optimizer.zero_grad()
                loss = F.cross_entropy(net(x[chosen]), y[chosen]) / 8
                loss.backward()
                if i % 8 == 7:
                    optimizer.step()
                watching.step(loss, target=y[chosen])
    return result(watching, net, data)


def through_numpy(cured: bool) -> Plan:
    return Plan(sets.digits(), Encoder(cured), F.cross_entropy, adam(5e-3), 20)


def a_list_of_branches(cured: bool) -> Plan:
    return Plan(sets.genes(), Branches(cured), F.cross_entropy, adam(1e-2), 25)


def made_before(cured: bool, watch: Watch) -> Trained:
    """The optimizer is made before the body is replaced by a narrower one."""
    data = sets.digits()
    (x, y), _ = data
    net = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 10))
    optimizer = optim.Adam(net.parameters(), lr=5e-3)
    net[0] = nn.Sequential(nn.Linear(64, 4), nn.Tanh(), nn.Linear(4, 64), nn.Tanh())
    if cured:
        optimizer = optim.Adam(net.parameters(), lr=5e-3)
    with watch(net, optimizer) as watching:
        for chosen in batches(len(x), 32, 30):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return result(watching, net, data)


def deep_sigmoids(cured: bool) -> Plan:
    act = nn.ELU if cured else nn.Sigmoid
    model = dense(10, *[32] * 6, 1, activation=act)
    return Plan(sets.hastie(), model, logits, sgd(0.05, momentum=0.9), 15, score=above(0))


def sigmoid_filters(cured: bool) -> Plan:
    layers: list[nn.Module] = []
    for inputs in (1, 12, 12, 12, 12):
        layers.append(nn.Conv1d(inputs, 12, 5, padding=2))
        layers += [nn.BatchNorm1d(12), nn.ReLU()] if cured else [nn.Sigmoid()]
    model = nn.Sequential(*layers, nn.AvgPool1d(4), nn.Flatten(), nn.Linear(120, 4))
    return Plan(sets.signals(), model, F.cross_entropy, sgd(0.05), 10)


def growing_loop(cured: bool) -> Plan:
    model = Loop(0.7 if cured else 1.6)
    return Plan(sets.load(), model, F.mse_loss, sgd(0.02), 12, score=explained)


def cut_to_nothing(cured: bool, watch: Watch) -> Trained:
    """Each entry of the gradient is cut, to much less than it is long."""
    (x, y), (xv, yv) = sets.flats()
    net = dense(5, 32, 32, 1)
    optimizer = optim.SGD(net.parameters(), lr=0.05)
    with watch(net, optimizer) as watching:
        for chosen in batches(len(x), 35, 20):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x[chosen]), y[chosen])
            loss.backward()
            nn.utils.clip_grad_value_(net.parameters(), 1.0 if cured else 1e-4)
            optimizer.step()
            watching.step(loss, target=y[chosen])
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.mse_loss)
    return Trained(watching, explained(net(xv), yv), data)


def blank_pictures(cured: bool) -> Plan:
    """A few pictures are blank, and have no spread to be divided by."""
    (x, y), valid = sets.digits()
    x = x.clone()
    x[::97] = 0
    return Plan(((x, y), valid), Contrast(cured), F.cross_entropy, adam(3e-3), 12)


def logarithm_of_zero(cured: bool) -> Plan:
    """Cross-entropy by hand; of sure answers the probability is rounded to 0."""

    def loss(output: Tensor, y: Tensor) -> Tensor:
        log_p = output.log_softmax(1) if cured else output.softmax(1).log()
        return -log_p[torch.arange(len(y)), y].mean()

    return Plan(sets.digits(255.0), dense(64, 96, 10), loss, adam(3e-3), 12)


UPDATED = ("parameters_not_updated",)
CLEARED = ("gradient_not_cleared",)
THROWN = ("gradient_discarded",)
PAIRS = [
    Pair("signals: not cleared", "signals: cleared", CLEARED, piled_up, 0.7, 0.8),
    planned("circuit: not cleared", "circuit: cleared", CLEARED, piled_up_numbers, 0.5, 0.85),
    Pair(
        "genes: cleared before the step",
        "genes: cleared before the pass",
        THROWN,
        cleared_too_soon,
        0.5,
        0.8,
    ),
    Pair(
        "shapes: seven of eight thrown away",
        "shapes: eight added up",
        THROWN,
        half_of_the_batches,
        0.7,
        0.85,
    ),
    planned("digits: through numpy", "digits: in PyTorch", UPDATED, through_numpy, 0.75, 0.85),
    planned(
        "genes: branches in a list",
        "genes: branches in a ModuleList",
        UPDATED,
        a_list_of_branches,
        0.65,
        0.75,
    ),
    Pair(
        "digits: an optimizer made before",
        "digits: an optimizer made after",
        UPDATED,
        made_before,
        0.6,
        0.8,
    ),
    planned(
        "hastie: six sigmoids",
        "hastie: six ELUs",
        ("vanishing_gradient", "signal_vanishes"),
        deep_sigmoids,
        0.6,
        0.8,
    ),
    planned(
        "signals: five sigmoid filters",
        "signals: five normed filters",
        ("vanishing_gradient", "signal_vanishes"),
        sigmoid_filters,
        0.5,
        0.8,
    ),
    planned(
        "load: a growing loop",
        "load: a shrinking loop",
        ("exploding_gradient", "signal_explodes"),
        growing_loop,
        0.3,
        0.75,
    ),
    Pair(
        "flats: cut to .0001",
        "flats: cut to 1",
        ("gradient_clipped_away", "learning_rate_too_low"),
        cut_to_nothing,
        0.5,
        0.85,
    ),
    planned(
        "digits: blank pictures", "digits: a guard", ("not_finite",), blank_pictures, 0.2, 0.85
    ),
    planned(
        "digits: the logarithm of 0",
        "digits: log-softmax by hand",
        ("not_finite",),
        logarithm_of_zero,
        0.2,
        0.85,
    ),
]
