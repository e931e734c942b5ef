"""Weights that start alike, too small or too large."""

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


class Shapes(nn.Module):
    """Two convolutions, the second over every other pixel, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 16, 3, stride=2, padding=1)
        self.fc = nn.Linear(16 * 36, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return self.fc(x.flatten(1))


class Skips(nn.Module):
    """Residual blocks without a norm."""

    def __init__(self, blocks: int, std: float | None) -> None:
        super().__init__()
        self.into = nn.Linear(20, 48)
        self.blocks = nn.ModuleList(nn.Linear(48, 48) for _ in range(blocks))
        self.out = nn.Linear(48, 4)
        if std is not None:
            for block in self.blocks:
                nn.init.normal_(block.weight, std=std)

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        for block in self.blocks:
            x = x + F.relu(block(x))
        return self.out(x)


class Next(nn.Module):
    """An embedding, a GRU and a layer over the letters."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(8, 24)
        self.gru = nn.GRU(24, 48, batch_first=True)
        self.out = nn.Linear(48, 8)
        nn.init.normal_(self.out.weight, std=std)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.gru(self.embedding(x))[0])


def one_number(cured: bool, watch: Watch) -> Trained:
    """All parameters get the same number, biases too."""
    (x, y), (xv, yv) = sets.spirals()
    net = nn.Sequential(nn.Linear(2, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 3))
    if not cured:
        for p in net.parameters():
            p.data.fill_(0.1)
    criterion = nn.CrossEntropyLoss()
    opt = optim.SGD(net.parameters(), lr=0.2, momentum=0.5)
    with watch(net, opt) as watching:
        for _ in range(40):
            for xb, yb in DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True):
                opt.zero_grad()
                loss = criterion(net(xb), yb)
                loss.backward()
                opt.step()
                watching.step(loss, target=yb)
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), criterion)
    return Trained(watching, right(net(xv), yv), data)


def filters_alike(cured: bool) -> Plan:
    model = Shapes()
    if not cured:
        for layer in (model.conv1, model.conv2, model.fc):
            nn.init.constant_(layer.weight, 0.02)
            nn.init.zeros_(layer.bias)
    return Plan(sets.shapes(), model, F.cross_entropy, adam(3e-3), 16)


def zeros(cured: bool, watch: Watch) -> Trained:
    """A network from matrices of zeros."""
    (x, y), (xv, yv) = sets.arm()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            make = torch.randn if cured else torch.zeros
            self.w1, self.b1 = nn.Parameter(make(4, 32) * 0.5), nn.Parameter(torch.zeros(32))
            self.w2, self.b2 = nn.Parameter(make(32, 32) * 0.2), nn.Parameter(torch.zeros(32))
            self.w3, self.b3 = nn.Parameter(make(32, 1) * 0.2), nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            h = torch.relu(x @ self.w1 + self.b1)
            h = torch.relu(h @ self.w2 + self.b2)
            return h @ self.w3 + self.b3

    net = Net()
    opt = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    with watch(net, opt) as watching:
        for chosen in batches(len(x), 45, 30):
            loss = ((net(x[chosen]) - y[chosen]) ** 2).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            watching.step(loss, target=y[chosen])
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.mse_loss)
    return Trained(watching, explained(net(xv), yv), data)


def faint_signals(cured: bool) -> Plan:
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 12), (12, 12), (12, 12), (12, 12)):
        layers += [nn.Conv1d(inputs, outputs, 5, padding=2), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(12 * 40, 4))
    for layer in model:
        if isinstance(layer, nn.Conv1d):
            nn.init.normal_(
                layer.weight, std=(2 / (5 * layer.in_channels)) ** 0.5 if cured else 0.01
            )
            nn.init.zeros_(layer.bias)
    return Plan(sets.signals(), model, F.cross_entropy, sgd(0.02, momentum=0.9), 15)


def faint_depth(cured: bool) -> Plan:
    start = nn.init.kaiming_normal_ if cured else lambda w: nn.init.uniform_(w, -0.04, 0.04)
    model = dense(10, *[64] * 9, 1, start=start)
    return Plan(sets.hastie(), model, logits, sgd(0.05), 25, score=above(0))


def loud_depth(cured: bool) -> Plan:
    gain = 2**0.5 if cured else 3.5
    model = dense(64, *[64] * 10, 10, start=lambda w: nn.init.orthogonal_(w, gain))
    return Plan(sets.digits(), model, F.cross_entropy, sgd(0.02), 15)


def loud_skips(cured: bool) -> Plan:
    return Plan(sets.genes(), Skips(14, None if cured else 0.3), F.cross_entropy, sgd(0.005), 30)


def sure_from_the_start(cured: bool) -> Plan:
    model = dense(64, 96, 10, activation=nn.Tanh)
    if not cured:
        nn.init.normal_(model[-1].weight, std=50.0)
    return Plan(sets.digits(), model, F.cross_entropy, sgd(0.05), 12)


def wide_numbers(cured: bool) -> Plan:
    """Drawn with `torch.randn`, whatever the width."""
    model = dense(5, 256, 256, 1)
    if not cured:
        for layer in model[::2]:
            layer.weight.data = torch.randn_like(layer.weight)
    return Plan(sets.flats(), model, F.mse_loss, adam(1e-3), 15, score=explained)


SAME = ("symmetric_units",)
FAINT = ("signal_vanishes", "vanishing_gradient")
LOUD = ("signal_explodes", "output_overconfident", "exploding_gradient")
PAIRS = [
    Pair("spirals: .1 everywhere", "spirals: drawn", SAME, one_number, 0.62, 0.9),
    planned("shapes: filters alike", "shapes: filters drawn", SAME, filters_alike, 0.74, 0.85),
    Pair("arm: zeros", "arm: normal numbers", (*SAME, "signal_vanishes"), zeros, 0.1, 0.8),
    planned("signals: std .01", "signals: default start", FAINT, faint_signals, 0.5, 0.8),
    planned("hastie: within .04", "hastie: He's start", FAINT, faint_depth, 0.62, 0.75),
    planned("digits: gain 3.5", "digits: gain of ReLU", LOUD, loud_depth, 0.6, 0.85),
    planned("genes: loud blocks", "genes: quiet blocks", LOUD, loud_skips, 0.6, 0.75),
    planned(
        "digits: a head of std 50",
        "digits: a default head",
        ("output_overconfident",),
        sure_from_the_start,
        0.8,
        0.88,
    ),
    planned("flats: randn", "flats: default weights", LOUD, wide_numbers, 0.4, 0.8),
]
