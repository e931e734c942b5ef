"""Networks that cannot say it, do not hear it, or are asked in the wrong way."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.cases.step_faults.later import sets
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, logits, planned, sgd
from benchmarks.doctor.networks import dense


class Deep(nn.Module):
    """Four layers in a list, bent or not."""

    def __init__(self, sizes: tuple[int, ...], bent: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.bent = bent

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x)
            if self.bent:
                x = F.silu(x)
        return self.layers[-1](x)


class Sensor(nn.Module):
    """A GRU over [N, T, 3]; `first` says whether it is told that samples come first."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 40, batch_first=first)
        self.head = nn.Linear(40, 3)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.gru(x)
        return self.head(out[:, -1])


class Attentive(nn.Module):
    """Attention over [N, T, 32], read at the last place; `first`: samples come first."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(8, 32), nn.Embedding(10, 32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=first)
        self.head = dense(32, 64, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embedding(x) + self.places(torch.arange(x.shape[1]))
        h = h + self.attention(h, h, h, need_weights=False)[0]
        return self.head(h[:, -1])


class Reader(nn.Module):
    """A small transformer that reads strings, with places or without."""

    def __init__(self, places: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(8, 32)
        self.places = nn.Parameter(0.1 * torch.randn(10, 32)) if places else None
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embedding(x)
        if self.places is not None:
            h = h + self.places
        return self.head(self.encoder(h).mean(1))


class LastState(nn.Module):
    """A GRU whose last state is read, or by a slip its first."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.gru, self.fc = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 4)
        self.start, self.last = nn.Parameter(0.1 * torch.randn(1, 1, 32)), last

    def forward(self, x: Tensor) -> Tensor:
        h0 = self.start.expand(1, len(x), 32).contiguous()
        _, hn = self.gru(x, h0)
        return self.fc((hn if self.last else h0)[-1])


class Dropped(nn.Module):
    """Dropout as a module of `forward`'s own, new in every call, or one that evaluation reaches."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(64, 48), nn.Linear(48, 48), nn.Linear(48, 10)
        self.drop, self.own = nn.Dropout(0.6), own

    def forward(self, x: Tensor) -> Tensor:
        drop = self.drop if self.own else nn.Dropout(0.6)
        x = drop(F.relu(self.fc1(x)))
        return self.fc3(drop(F.relu(self.fc2(x))))


def straight_spirals(cured: bool) -> Plan:
    return Plan(sets.spirals(), Deep((2, 48, 48, 48, 3), cured), F.cross_entropy, adam(5e-3), 40)


def straight_shapes(cured: bool) -> Plan:
    """Strides and means, and nothing that bends."""
    act = nn.LeakyReLU if cured else nn.Identity
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), act(),
        nn.Conv2d(12, 16, 3, padding=1), act(),
        nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(144, 4),
    )  # fmt: skip
    return Plan(sets.shapes(), model, F.cross_entropy, adam(5e-3), 20, loader=True)


def straight_reach(cured: bool, watch: Watch) -> Trained:
    """The activation's result is thrown away."""
    (x, y), (xv, yv) = sets.arm()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(4, 50), nn.Linear(50, 50), nn.Linear(50, 1)
            self.act = nn.ELU()

        def forward(self, x: Tensor) -> Tensor:
            x = self.fc1(x)
            if cured:
                x = self.act(x)
            else:
                self.act(x)
            x = self.fc2(x)
            if cured:
                x = self.act(x)
            else:
                self.act(x)
            return self.fc3(x)

    net, criterion = Net(), nn.SmoothL1Loss()
    optimizer = optim.AdamW(net.parameters(), lr=3e-3)
    with watch(net, optimizer) as watching:
        for _ in range(30):
            for inputs, targets in DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True):
                loss = criterion(net(inputs), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watching.step(loss, target=targets)
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), criterion)
    return Trained(watching, explained(net(xv), yv), data)


def bottleneck(cured: bool) -> Plan:
    model = dense(64, 64, 16 if cured else 1, 64, 10)
    return Plan(sets.digits(), model, F.cross_entropy, adam(3e-3), 20)


def one_filter(cured: bool) -> Plan:
    width = 16 if cured else 1
    model = nn.Sequential(
        nn.Conv2d(1, width, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 4),
    )
    return Plan(sets.shapes(), model, F.cross_entropy, adam(2e-2), 30)


def born_dead(cured: bool) -> Plan:
    model = dense(10, 80, 80, 1)
    if not cured:
        for layer in model[:-1:2]:
            nn.init.constant_(layer.bias, -6.0)
    return Plan(sets.hastie(), model, logits, adam(1e-3), 15, score=above(0))


def pressed(cured: bool) -> Plan:
    """Weights so large that tanh stands at ±1."""
    model = dense(20, 60, 60, 4, activation=nn.Tanh)
    if not cured:
        for layer in (model[0], model[2]):
            nn.init.normal_(layer.weight, std=6.0)
    return Plan(sets.genes(), model, F.cross_entropy, sgd(0.05), 30)


def time_first(cured: bool) -> Plan:
    return Plan(sets.movements(), Sensor(cured), F.cross_entropy, adam(1e-2), 20)


def attention_over_the_batch(cured: bool) -> Plan:
    return Plan(sets.commands(), Attentive(cured), F.cross_entropy, adam(5e-3), 25)


def no_places(cured: bool) -> Plan:
    return Plan(sets.commands(), Reader(cured), F.cross_entropy, adam(2e-3), 15)


def first_state(cured: bool) -> Plan:
    return Plan(sets.remembered(12), LastState(cured), F.cross_entropy, adam(1e-2), 12)


def dropped_for_ever(cured: bool, watch: Watch) -> Trained:
    """Dropout is made anew in each call, and evaluation does not know of it."""
    (x, y), (xv, yv) = sets.digits()
    net = Dropped(cured)
    optimizer = optim.Adam(net.parameters(), lr=2e-3)
    with watch(net, optimizer) as watching:
        for _ in range(30):
            net.train()
            for chosen in batches(len(x), 32, 1):
                loss = F.cross_entropy(net(x[chosen]), y[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
            net.eval()
            with torch.no_grad():
                out = net(xv)
                watching.valid(loss=float(F.cross_entropy(out, yv)), score=right(out, yv))
    data = known(torch.cat([x, xv]), torch.cat([y, yv]), len(x), F.cross_entropy)
    return Trained(watching, right(net(xv), yv), data)


LINEAR = ("no_nonlinearity",)
SMALL = ("too_small", "underfitting", "dead_units")
PAIRS = [
    planned("spirals: four straight layers", "spirals: SiLU", LINEAR, straight_spirals, 0.72, 0.9),
    planned("shapes: straight filters", "shapes: leaky filters", LINEAR, straight_shapes, 0.6, 0.8),
    Pair("arm: ELU thrown away", "arm: ELU kept", LINEAR, straight_reach, 0.4, 0.85),
    planned("digits: a neck of one", "digits: a neck of 16", SMALL, bottleneck, 0.6, 0.85),
    planned("shapes: one filter", "shapes: sixteen filters", SMALL, one_filter, 0.88, 0.94),
    planned("hastie: biases of -6", "hastie: default biases", ("dead_units",), born_dead, 0.6, 0.8),
    planned(
        "genes: weights of std 6",
        "genes: default tanh",
        ("saturated_units", "signal_explodes"),
        pressed,
        0.7,
        0.78,
    ),
    planned(
        "sensor: time first", "sensor: samples first", ("samples_mixed",), time_first, 0.85, 0.93
    ),
    planned(
        "commands: attention over the batch",
        "commands: attention over the string",
        ("samples_mixed",),
        attention_over_the_batch,
        0.75,
        0.85,
    ),
    planned("commands: no places", "commands: places", ("order_blind",), no_places, 0.6, 0.85),
    planned(
        "first value: the first state",
        "first value: the last state",
        ("input_not_used", "parameters_not_updated"),
        first_state,
        0.4,
        0.9,
    ),
    Pair(
        "digits: dropout anew in each call",
        "digits: dropout that evaluation reaches",
        ("mode_mismatch",),
        dropped_for_ever,
        0.87,
        0.92,
    ),
]
