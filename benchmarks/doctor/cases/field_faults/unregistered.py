"""Parameters outside the module, the optimizer or the graph."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, bent
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


class Tastes(nn.Module):
    """A rating from vectors of the user and the thing, in a ModuleDict or a plain dictionary."""

    def __init__(self, registered: bool) -> None:
        super().__init__()
        tables = {"user": nn.Embedding(60, 8), "thing": nn.Embedding(40, 8)}
        self.tables = nn.ModuleDict(tables) if registered else tables
        self.scale, self.offset = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))

    def forward(self, pair: Tensor) -> Tensor:
        product = self.tables["user"](pair[:, 0]) * self.tables["thing"](pair[:, 1])
        return self.scale * product.sum(1) / 3 + self.offset


def plain_dictionary(cured: bool, watch: Watch) -> Trained:
    x = torch.stack([torch.randint(60, (3000,)), torch.randint(40, (3000,))], 1)
    users, things = torch.randn(60, 2), torch.randn(40, 2)
    y = (users[x[:, 0]] * things[x[:, 1]]).sum(1)
    model = Tastes(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:2600], y[:2600], 8, 50)
    return Trained(watching, explained(model(x[2600:]), y[2600:]), known(x, y, 2600, F.mse_loss))


class MadeWhenCalled(nn.Module):
    """A network whose last layer is made once, or anew with each call."""

    def __init__(self, once: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 32), nn.Tanh())
        self.last = nn.Linear(32, 1) if once else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x)
        number: Tensor = (self.last if self.last is not None else nn.Linear(h.shape[1], 1))(h)
        return number


def layer_made_in_forward(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1200)
    model = MadeWhenCalled(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], y[:1000], 20)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


class OwnWeights(nn.Module):
    """Weights of one's own; times a number, a parameter is a tensor like any other."""

    def __init__(self, registered: bool) -> None:
        super().__init__()
        if registered:
            self.into = nn.Parameter(0.4 * torch.randn(6, 24))
            self.out = nn.Parameter(0.2 * torch.randn(24, 1))
        else:
            with torch.no_grad():
                self.into = nn.Parameter(torch.randn(6, 24)) * 0.4
                self.out = nn.Parameter(torch.randn(24, 1)) * 0.2
        self.shift, self.offset = nn.Parameter(torch.zeros(24)), nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x @ self.into + self.shift) @ self.out + self.offset


def parameter_times_number(cured: bool, watch: Watch) -> Trained:
    x, y = bent(1200)
    model = OwnWeights(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], y[:1000], 25)
    return Trained(watching, explained(model(x[1000:]), y[1000:]), known(x, y, 1000, F.mse_loss))


def copied_after_the_optimizer(cured: bool, watch: Watch) -> Trained:
    """The optimizer has the parameters of the network that was copied, not of the copy."""
    x, y = bars(900)
    model: nn.Module = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model = copy.deepcopy(model)
    if cured:
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:700], y[:700], 8)
    return Trained(watching, right(model(x[700:]), y[700:]), known(x, y, 700, F.cross_entropy))


class Squeezed(nn.Module):
    """An encoder to three numbers and a decoder, with or without a cut between them."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.cut = cut
        self.encoder, self.decoder = dense(8, 32, 3), dense(3, 32, 8)

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x)
        if self.cut:
            code = torch.from_numpy(code.detach().numpy())
        x_again: Tensor = self.decoder(code)
        return x_again


def cut_between_encoder_and_decoder(cured: bool, watch: Watch) -> Trained:
    x = torch.tanh(torch.randn(1200, 3) @ torch.randn(3, 8) / 2)
    model = Squeezed(not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1000], x[:1000], 12)
    return Trained(watching, explained(model(x[1000:]), x[1000:]), known(x, x, 1000, F.mse_loss))


class Gate(nn.Module):
    """Experts with a gate that chooses between them."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(6, 1) for _ in range(4))
        self.gate = dense(6, 24, 4)

    def forward(self, x: Tensor) -> Tensor:
        answers = torch.cat([expert(x) for expert in self.experts], 1)
        return (self.gate(x).softmax(1) * answers).sum(1, keepdim=True)


def two_groups_by_name(cured: bool, watch: Watch) -> Trained:
    """Groups of parameters by name, and a name that is written otherwise in the network."""
    x = torch.randn(1400, 6)
    y = torch.where(x[:, :1] > 0, x[:, 1:2] * 2, -x[:, 1:2] * 2 + x[:, 2:3])
    model = Gate()
    experts = "experts." if cured else "expert_"
    named = list(model.named_parameters())
    groups = [
        {"params": [p for name, p in named if name.startswith("gate.")], "lr": 2e-2},
        {"params": [p for name, p in named if name.startswith(experts)]},
    ]
    optimizer = torch.optim.Adam(groups, lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(1100, 32, 15):
            loss = F.mse_loss(model(x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    return Trained(watching, explained(model(x[1100:]), y[1100:]), known(x, y, 1100, F.mse_loss))


PAIRS = [
    Pair(
        "embeddings in a plain dictionary",
        "embeddings in a ModuleDict",
        ("parameters_not_updated",),
        plain_dictionary,
        0.3,
        0.7,
    ),
    Pair(
        "a layer made anew with each call",
        "a layer made once",
        ("parameters_not_updated",),
        layer_made_in_forward,
        0.3,
        0.6,
    ),
    Pair(
        "parameters times a number",
        "parameters as they are",
        ("parameters_not_updated",),
        parameter_times_number,
        0.5,
        0.7,
    ),
    Pair(
        "network copied after its optimizer was made",
        "optimizer made for the copy",
        ("parameters_not_updated",),
        copied_after_the_optimizer,
        0.5,
        0.8,
    ),
    Pair(
        "code led through NumPy",
        "code left in the graph",
        ("parameters_not_updated",),
        cut_between_encoder_and_decoder,
        0.85,
        0.9,
    ),
    Pair(
        "groups of parameters by a name that is none",
        "groups of parameters by their names",
        ("parameters_not_updated",),
        two_groups_by_name,
        0.55,
        0.8,
    ),
]
