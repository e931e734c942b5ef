"""Weights that start alike, too weak or too strong, and a bias that decides everything."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit
from benchmarks.doctor.cases.step_faults.fresh import samples
from benchmarks.doctor.cases.step_faults.fresh.loops import Last, judged
from benchmarks.doctor.networks import dense


def averaging_kernels(cured: bool, watch: Watch) -> Trained:
    """Each layer starts as the average of what it is given."""
    data = samples.numerals()
    (x, y), _ = data
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )
    if not cured:
        for layer in net:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
                nn.init.zeros_(layer.get_parameter("bias"))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    with watch(net, optimizer) as watching:
        for _epoch in range(6):
            for pictures, numeral in DataLoader(TensorDataset(x, y), 32, shuffle=True):
                optimizer.zero_grad()
                loss = F.cross_entropy(net(pictures), numeral)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=numeral)
    return judged(watching, net, data, F.cross_entropy)


def no_root(cured: bool, watch: Watch) -> Trained:
    """The spread of weights is one over the number of inputs, where its root was meant."""
    data = samples.shells()
    model = dense(4, *[64] * 6, 3)
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear):
                inputs = layer.in_features
                layer.weight.normal_(0, (2 / inputs) ** 0.5 if cured else 1 / inputs)
                layer.bias.zero_()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    watching = fit(watch, model, optimizer, F.cross_entropy, *data[0], 20)
    return judged(watching, model, data, F.cross_entropy)


def loud_memory(cured: bool, watch: Watch) -> Trained:
    """The weights from state to state are drawn with a spread of 3."""
    data = samples.bumps()
    (x, y), _ = data
    memory = nn.RNN(1, 32, batch_first=True)
    if not cured:
        nn.init.normal_(memory.get_parameter("weight_hh_l0"), std=3.0)
    model = Last(memory, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.BCEWithLogitsLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 30, 15):
            descend(watching, optimizer, criterion(model(x[chosen]), y[chosen]), y[chosen])
    return judged(watching, model, data, criterion)


def sure_from_the_start(cured: bool, watch: Watch) -> Trained:
    """A bias of 300 makes one class certain before anything was learned."""
    data = samples.shells()
    (x, y), _ = data
    model = dense(4, 48, 48, 3, activation=nn.Tanh)
    if not cured:
        with torch.no_grad():
            model[-1].get_parameter("bias")[1] = 300.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    with watch(model, optimizer) as watching:
        for _ in range(25):
            for chosen in torch.randperm(len(x)).split(40):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss.detach(), target=y[chosen])
    return judged(watching, model, data, F.cross_entropy)


PAIRS: list[Pair] = [
    Pair(
        "numerals: every layer starts as an average",
        "numerals: every layer starts as PyTorch draws it",
        ("symmetric_units",),
        averaging_kernels,
        0.7,
        0.9,
    ),
    Pair(
        "shells: a spread of one over the inputs",
        "shells: a spread of the root of two over the inputs",
        ("signal_vanishes", "vanishing_gradient"),
        no_root,
        0.5,
        0.8,
    ),
    Pair(
        "bumps: a memory drawn with a spread of 3",
        "bumps: a memory as PyTorch draws it",
        ("saturated_units", "exploding_gradient", "signal_explodes"),
        loud_memory,
        0.75,
        0.85,
    ),
    Pair(
        "shells: a bias of 300 for one class",
        "shells: a bias as PyTorch draws it",
        ("output_overconfident",),
        sure_from_the_start,
        0.6,
        0.8,
    ),
]
