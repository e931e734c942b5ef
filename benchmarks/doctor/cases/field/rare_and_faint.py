"""Rare answers that the loss weighs or the loader draws more often, relations that are faint, and a
series in order.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def rare(share: float) -> tuple[Tensor, Tensor]:
    """Columns [N, 8], and a yes for that share of the rows."""
    x = torch.randn(2400, 8)
    hidden = x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 0.4 * torch.randn(2400)
    return x, (hidden > hidden.quantile(1 - share)).long()


def recalls(answer: Tensor, truth: Tensor) -> float:
    """The mean recall of yes and no, 0 by chance."""
    right = [float((answer[truth == side] == side).double().mean()) for side in (0, 1)]
    return sum(right) - 1


def weighed(share: float, momentum: bool) -> Trained:
    """A yes weighs as much more as it is rarer."""
    x, y = rare(share)
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([(1 - share) / share]))
    model, target = dense(8, 32, 1), y.float()[:, None]
    optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    if momentum:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2000, 64, 12):
            descend(watch, optimizer, loss_fn(model(x[chosen]), target[chosen]), target[chosen])
    with torch.no_grad():
        score = recalls((model(x[2000:])[:, 0] > 0).long(), y[2000:])
    known = {"train": (x[:2000], target[:2000]), "valid": (x[2000:], target[2000:])}
    return Trained(watch, score, {**known, "loss_fn": loss_fn})


def as_many_of_each() -> Trained:
    """Half of each batch is drawn from the few."""
    x, y = rare(0.04)
    sides = [torch.nonzero(y[:2000] == side).flatten() for side in (0, 1)]
    model = dense(8, 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(250):
            chosen = torch.cat([side[torch.randint(len(side), (25,))] for side in sides])
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = recalls(model(x[2000:]).argmax(1), y[2000:])
    known = {"train": (x[:2000], y[:2000]), "valid": (x[2000:], y[2000:])}
    return Trained(watch, score, {**known, "loss_fn": F.cross_entropy})


def faint() -> Trained:
    """A tenth of the variance can be told; judged against what can."""
    x = torch.randn(1600, 10)
    truth = (x[:, 0] - x[:, 1] + 0.5 * x[:, 2] * x[:, 3])[:, None]
    y = truth + 4.5 * torch.randn(1600, 1)
    model = dense(10, 16, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1400, 32, 10):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = r2(model(x[1400:]), truth[1400:])
    known = {"train": (x[:1400], y[:1400]), "valid": (x[1400:], y[1400:])}
    return Trained(watch, score, {**known, "loss_fn": F.mse_loss})


def series() -> Trained:
    """Windows of a series that rises, in the order of time; the last part judges."""
    time = torch.arange(2000.0)
    level = torch.sin(0.1 * time) + 0.001 * time + 0.05 * torch.randn(2000)
    x, y = level.unfold(0, 16, 1)[:-1], level[16:, None]
    model = dense(16, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(4):
            for chosen in torch.arange(1600).split(32):
                descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = r2(model(x[1600:]), y[1600:])
    known = {"train": (x[:1600], y[:1600]), "valid": (x[1600:], y[1600:])}
    return Trained(watch, score, {**known, "loss_fn": F.mse_loss})


CASES = [
    healthy("3 % weighed, Adam", lambda: weighed(0.03, False)),
    healthy("3 % weighed, momentum", lambda: weighed(0.03, True)),
    healthy("a tenth weighed", lambda: weighed(0.1, False)),
    healthy("as many of each", as_many_of_each),
    healthy("a faint relation", faint),
    healthy("a series in order", series),
]
