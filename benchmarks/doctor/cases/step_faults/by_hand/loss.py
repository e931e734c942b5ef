"""Losses that do not fit the outputs, the targets or the task."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained
from benchmarks.doctor.cases.step_faults import tables
from benchmarks.doctor.cases.step_faults.by_hand import drawn
from benchmarks.doctor.cases.step_faults.plan import Plan, above, adam, planned, sgd
from benchmarks.doctor.networks import dense


def bare_nll(cured: bool) -> Plan:
    """The negative log-likelihood of numbers that are no logarithms."""
    model = dense(16, 48, 4, end=nn.LogSoftmax(1) if cured else None)
    return Plan(drawn.tickets(), model, nn.NLLLoss(), sgd(0.1), 20)


def flat_answers(cured: bool) -> Plan:
    """Answers [B] against targets [B, 1]."""
    end = None if cured else nn.Flatten(0)
    model = dense(3, 48, 48, 1, end=end)
    return Plan(drawn.roll(), model, nn.MSELoss(), adam(5e-3), 30, 40, explained)


def one_of_several(cured: bool, watch: Watch) -> Trained:
    """Several labels hold at once, and a softmax makes them compete."""
    (x, y), (xv, yv) = drawn.topics()
    model = dense(20, 64, 5)
    loss_fn = nn.BCEWithLogitsLoss() if cured else nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            for batch in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                loss = loss_fn(model(x[batch]), y[batch])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[batch])
    with torch.no_grad():
        answers = model(xv).sigmoid() if cured else model(xv).softmax(1)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn}
    return Trained(watching, above(0.5)(answers, yv), known)


class Uncertain(nn.Module):
    """A mean and the logarithm of a spread for each sample. [B, 2]"""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 48), nn.Tanh(), nn.Linear(48, 2))

    def forward(self, x: Tensor) -> Tensor:
        mean, spread = self.body(x).chunk(2, 1)
        return torch.cat([mean, spread.clamp(-3, 3)], 1)


def likelihood(answers: Tensor, y: Tensor) -> Tensor:
    """The mean log-likelihood of a normal distribution."""
    normal = torch.distributions.Normal(answers[:, :1], answers[:, 1:].exp())
    return torch.as_tensor(normal.log_prob(y)).mean()


def likelihood_down(cured: bool, watch: Watch) -> Trained:
    """What should grow is given to the optimizer as it is."""
    (x, y), (xv, yv) = tables.friedman()
    model = Uncertain()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss_fn(answers: Tensor, target: Tensor) -> Tensor:
        return -likelihood(answers, target) if cured else likelihood(answers, target)

    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 32, 30):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = explained(model(xv)[:, :1], yv)
    return Trained(watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": loss_fn})


class Basket(nn.Module):
    """A number of a basket, with a squashing at the end or none."""

    def __init__(self, end: nn.Module) -> None:
        super().__init__()
        self.picker, self.end = drawn.Picker(), end

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.end(self.picker(x))
        return answer


def out_of_reach(cured: bool, watch: Watch) -> Trained:
    """Targets around 8, answers of a sigmoid."""
    (x, y), (xv, yv) = drawn.baskets()
    y, yv = 2 * y + 8, 2 * yv + 8
    model = Basket(nn.Identity() if cured else nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 40, 25):
            loss = F.smooth_l1_loss(model(x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = explained(model(xv), yv)
    return Trained(
        watching, score, {"train": (x, y), "valid": (xv, yv), "loss_fn": F.smooth_l1_loss}
    )


PAIRS: list[Pair] = [
    planned(
        "tickets: NLL of bare outputs",
        "tickets: NLL of a log-softmax",
        ("output_loss_mismatch",),
        bare_nll,
        0.7,
        0.82,
    ),
    planned(
        "roll: flattened answers against a column",
        "roll: a column against a column",
        ("target_shape_mismatch",),
        flat_answers,
        0.1,
        0.85,
    ),
    Pair(
        "topics: a softmax over five labels",
        "topics: a sigmoid for each label",
        ("loss_unsuited", "output_loss_mismatch"),
        one_of_several,
        0.73,
        0.78,
    ),
    Pair(
        "friedman: likelihood minimised",
        "friedman: likelihood maximised",
        ("loss_sign",),
        likelihood_down,
        0.0,
        0.7,
    ),
    Pair(
        "baskets: a sigmoid for numbers around 8",
        "baskets: any number for numbers around 8",
        ("target_out_of_range", "output_loss_mismatch"),
        out_of_reach,
        0.0,
        0.75,
    ),
]
