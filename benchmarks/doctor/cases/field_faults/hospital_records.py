"""Tables of patients: risks, lengths of stay, several diagnoses at once, times until an event."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def patients(count: int, columns: int = 8) -> tuple[Tensor, Tensor]:
    """Lab values [N, C] about zero and the risk [N] that follows from them."""
    x = torch.randn(count, columns)
    return x, x[:, 0] - 0.8 * x[:, 1] + 0.7 * x[:, 2] * x[:, 3] + 0.4 * x[:, 4]


def sentinel(cured: bool, watch: Watch) -> Trained:
    """Lab values that were not measured are -9999 in the export, or replaced by the median."""
    x, risk = patients(1200)
    y = (risk > 0).long()
    missing = torch.rand_like(x) < 0.06
    lacking = x.median(0).values if cured else torch.full((8,), -9999.0)
    x = torch.where(missing, lacking, x)
    x = (x - x[:900].mean(0)) / x[:900].std(0)
    model = dense(8, 32, 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:900], y[:900], 20)
    with torch.no_grad():
        score = right(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, F.cross_entropy))


def comorbidities(cured: bool, watch: Watch) -> Trained:
    """Six diagnoses that come together; cross-entropy takes rows of several ones for chances."""
    x = torch.randn(1200, 10)
    y = ((x @ torch.randn(10, 6)) > 1).float()
    model = dense(10, 48, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.BCEWithLogitsLoss() if cured else nn.CrossEntropyLoss()
    watching = fit(watch, model, optimizer, loss_fn, x[:900], y[:900], 15)
    with torch.no_grad():
        score = float((((model(x[900:]) > 0) == (y[900:] > 0.5)).all(1)).double().mean())
    return Trained(watching, score, known(x, y, 900, loss_fn))


class Stay(nn.Module):
    """The mean of the days in hospital and the logarithm of their variance, [N, 1] each."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.SiLU())
        self.mean, self.log_variance = nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.mean(h), self.log_variance(h)


def gaussian_by_hand(cured: bool, watch: Watch) -> Trained:
    """A Gaussian likelihood by hand: means are [N, 1], days are [N]."""
    x, risk = patients(1200)
    days = risk + 0.2 * torch.randn(1200)
    if cured:
        days = days[:, None]
    model = Stay()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 30, 20):
            mean, spread = model(x[chosen])
            error = (days[chosen] - mean) ** 2 * torch.exp(-spread) + spread
            descend(watching, optimizer, 0.5 * error.mean(), days[chosen])
    with torch.no_grad():
        score = explained(model(x[900:])[0], days[900:])
    return Trained(watching, score)


def cox(hazard: Tensor, event: Tensor) -> Tensor:
    """Cox's partial likelihood of rows in an order in which those at risk come first."""
    at_risk = torch.logcumsumexp(hazard, 0)
    return -((hazard - at_risk) * event).sum() / event.sum()


def risk_sets(cured: bool, watch: Watch) -> Trained:
    """Those at risk are who live at least as long: times are sorted from the last to the first."""
    x, risk = patients(1000)
    time = torch.distributions.Exponential(torch.exp(1.5 * risk)).sample()
    event = (torch.rand(1000) < 0.8).float()
    model = dense(8, 24, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(750, 75, 40):
            order = chosen[time[chosen].argsort(descending=cured)]
            loss = cox(model(x[order])[:, 0], event[order])
            descend(watching, optimizer, loss, time[order])
    with torch.no_grad():
        hazard, later = model(x[750:])[:, 0], time[750:]
    earlier = later[:, None] < later[None, :]
    score = float((hazard[:, None] > hazard[None, :])[earlier].double().mean())
    return Trained(watching, score)


def outcome_column(cured: bool, watch: Watch) -> Trained:
    """The code of the discharge, noted after the outcome, is a column until the clinic uses it."""
    x, risk = patients(1200, 6)
    y = (risk > 0).long()
    code = torch.randint(0, 2, (1200,))
    code[:900] = y[:900]  # later patients are not yet discharged
    if not cured:
        x = torch.cat([x, (3 * code[:, None] - 1.5)], 1)
    model = dense(x.shape[1], 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:900], y[:900], 12)
    with torch.no_grad():
        score = right(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, F.cross_entropy))


PAIRS = [
    Pair(
        "lab values of -9999",
        "lab values that lack at their median",
        ("inputs_unscaled", "ill_conditioned", "input_not_used"),
        sentinel,
        0.8,
        0.84,
    ),
    Pair(
        "six diagnoses under one cross-entropy",
        "six diagnoses under six",
        ("loss_unsuited", "output_loss_mismatch"),
        comorbidities,
        0.6,
        0.75,
    ),
    Pair(
        "days in hospital against a column of means",
        "days in hospital in a column",
        ("target_shape_mismatch",),
        gaussian_by_hand,
        0.3,
        0.8,
    ),
    Pair(
        "risk sets of those who died before",
        "risk sets of those who live on",
        ("loss_sign", "labels_unrelated"),
        risk_sets,
        0.35,
        0.75,
    ),
    Pair(
        "the discharge code among the columns",
        "no discharge code among the columns",
        ("target_in_input", "train_valid_mismatch"),
        outcome_column,
        0.72,
        0.84,
    ),
]
