"""Parameters that no step reaches: hidden from the optimizer, or cut off the graph."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.drawn import clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def folded(count: int) -> tuple[Tensor, Tensor]:
    """A sum of waves of the inputs [count, 5]: few random features will not do."""
    x = 2 * torch.rand(count, 5) - 1
    y = torch.sin(4 * x[:, 0] + 2 * x[:, 1]) + torch.cos(4 * x[:, 2] * x[:, 3])
    return x, y[:, None] - y.mean()


def regressed(watch: Watch, model: nn.Module, parameters: object = None) -> Trained:
    x, y = folded(2000)
    optimizer = torch.optim.Adam(parameters or model.parameters(), lr=5e-3)  # type: ignore[arg-type]
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1600], y[:1600], 20)
    return Trained(watching, explained(model(x[1600:]), y[1600:]), known(x, y, 1600, F.mse_loss))


class Branches(nn.Module):
    """Two branches by name, in a plain dictionary or in a `ModuleDict`."""

    def __init__(self, registered: bool) -> None:
        super().__init__()
        branches = {name: dense(5, 32, 16) for name in ("left", "right")}
        self.branches = nn.ModuleDict(branches) if registered else branches
        self.head = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.cat([F.relu(self.branches[n](x)) for n in ("left", "right")], 1))


def a_dictionary_of_layers(cured: bool, watch: Watch) -> Trained:
    return regressed(watch, Branches(cured))


class Transposed(nn.Module):
    """A parameter that is transposed where it is made is no parameter any more."""

    def __init__(self, registered: bool) -> None:
        super().__init__()
        if registered:
            self.first = nn.Parameter(0.4 * torch.randn(64, 6).T)
            self.second = nn.Parameter(0.2 * torch.randn(32, 64).T)
        else:
            self.first = nn.Parameter(0.4 * torch.randn(64, 6)).T
            self.second = nn.Parameter(0.2 * torch.randn(32, 64)).T
        self.head = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 1), value=1.0)
        return self.head(torch.tanh(torch.tanh(x @ self.first) @ self.second))


def parameters_transposed(cured: bool, watch: Watch) -> Trained:
    return regressed(watch, Transposed(cured))


class Rebuilt(nn.Module):
    """Features on their way to the head are made a tensor anew."""

    def __init__(self, connected: bool) -> None:
        super().__init__()
        self.body, self.head = dense(5, 48, 24, end=nn.ReLU()), nn.Linear(24, 1)
        self.connected = connected

    def forward(self, x: Tensor) -> Tensor:
        features = self.body(x)
        if not self.connected:
            features = torch.tensor(features.tolist())
        return self.head(features)


def made_a_tensor_anew(cured: bool, watch: Watch) -> Trained:
    return regressed(watch, Rebuilt(cured))


class Looked(nn.Module):
    """The body runs within no_grad, which was meant for the evaluation."""

    def __init__(self, connected: bool) -> None:
        super().__init__()
        self.body, self.head = dense(5, 48, 24, activation=nn.Tanh), nn.Linear(24, 1)
        self.connected = connected

    def forward(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(self.connected and torch.is_grad_enabled()):
            features = torch.tanh(self.body(x))
        return self.head(features)


def body_without_gradients(cured: bool, watch: Watch) -> Trained:
    return regressed(watch, Looked(cured))


def head_replaced_afterwards(cured: bool, watch: Watch) -> Trained:
    """The optimizer was made before the last two layers were replaced."""
    x, y = clouds(1200, 6, 12, apart=1.2)
    model = dense(12, 16, 16, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    model[2], model[4] = nn.Linear(16, 16), nn.Linear(16, 6)
    nn.init.normal_(model[4].weight, std=0.02)
    if cured:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1000], y[:1000], 8)
    return Trained(watching, right(model(x[1000:]), y[1000:]), known(x, y, 1000, F.cross_entropy))


def thawed_too_late(cured: bool, watch: Watch) -> Trained:
    """The optimizer took what had a gradient; the body was thawed after that."""
    model = nn.Sequential(dense(5, 48, 24, end=nn.ReLU()), nn.Linear(24, 1))
    model[0].requires_grad_(False)
    if cured:
        model[0].requires_grad_(True)
    parameters = [p for p in model.parameters() if p.requires_grad]
    model[0].requires_grad_(True)
    return regressed(watch, model, parameters)


PAIRS = [
    Pair(
        "branches in a plain dictionary",
        "branches in a dictionary of modules",
        ("parameters_not_updated",),
        a_dictionary_of_layers,
        0.8,
        0.85,
    ),
    Pair(
        "parameters transposed where they are made",
        "values transposed, then made parameters",
        ("parameters_not_updated",),
        parameters_transposed,
        0.8,
        0.85,
    ),
    Pair(
        "features made a tensor anew",
        "features passed on",
        ("parameters_not_updated",),
        made_a_tensor_anew,
        0.8,
        0.85,
    ),
    Pair(
        "the body within no_grad",
        "the body with its gradients",
        ("parameters_not_updated",),
        body_without_gradients,
        0.8,
        0.85,
    ),
    Pair(
        "layers replaced after the optimizer was made",
        "layers replaced before the optimizer was made",
        ("parameters_not_updated",),
        head_replaced_afterwards,
        0.6,
        0.85,
    ),
    Pair(
        "a body thawed after the optimizer was made",
        "a body thawed before the optimizer was made",
        ("parameters_not_updated",),
        thawed_too_late,
        0.8,
        0.85,
    ),
]
