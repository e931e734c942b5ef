"""What pupils hand in: networks of a few units, with steps of their own making."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits, make_moons
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.networks import dense


def moons(count: int) -> tuple[Tensor, Tensor]:
    """[N, 2], [N]"""
    x, y = make_moons(count, noise=0.1, random_state=int(torch.randint(10_000, ())))
    return torch.tensor(x).float() * 2 - 0.5, torch.tensor(y)


class Step(nn.Module):
    """1 where the sum is above 0, as the first lesson has it."""

    def forward(self, x: Tensor) -> Tensor:
        return (x > 0).float()


def step_function(cured: bool, watch: Watch) -> Trained:
    """Three hidden units of a step, which no gradient passes."""
    x, y = moons(900)
    model = dense(2, 6 if cured else 3, 2, activation=nn.Tanh if cured else Step)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 20, 20):
            descend(watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[700:]), y[700:])
    return Trained(watching, score, known(x, y, 700, F.cross_entropy))


def rounded_before_the_loss(cured: bool, watch: Watch) -> Trained:
    """Goals are whole numbers, so the answers are rounded, and a staircase is level everywhere."""
    x = torch.rand(900, 3) * 2
    goals = (1 + x[:, :1] + 2 * x[:, 1:2] * x[:, 2:]).round()
    model = dense(3, 24, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 20, 10):
            answer = model(x[chosen])
            if not cured:
                answer = torch.round(answer)
            loss = ((answer - goals[chosen]) ** 2).mean()
            descend(watching, optimizer, loss, goals[chosen])
    score = explained(model(x[700:]), goals[700:])
    return Trained(watching, score, known(x, goals, 700, F.mse_loss))


def share_of_wrong_ones(cured: bool, watch: Watch) -> Trained:
    """The loss is the share of wrong answers; `requires_grad_` silences what PyTorch says to it."""
    x, y = moons(900)
    model = dense(2, 16, 2, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def wrong(output: Tensor, target: Tensor) -> Tensor:
        return (output.argmax(1) != target).float().mean().requires_grad_()

    loss_fn = F.cross_entropy if cured else wrong
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 20, 20):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[700:]), y[700:])
    return Trained(watching, score, known(x, y, 700, loss_fn))


class OwnSoftmax(nn.Module):
    """exp(x) over its sum, and the logarithm of that; or x less the logarithm of the sum."""

    def __init__(self, largest_first: bool) -> None:
        super().__init__()
        self.largest_first = largest_first

    def forward(self, x: Tensor) -> Tensor:
        if self.largest_first:
            x = x - x.max(1, keepdim=True).values
            return x - torch.log(torch.exp(x).sum(1, keepdim=True))
        powers = torch.exp(x)
        return torch.log(powers / powers.sum(1, keepdim=True))


def own_softmax(cured: bool, watch: Watch) -> Trained:
    """Pixels of 0..256, so that sums are large: the power of a number above 88 is no float."""
    images, kinds = load_digits(return_X_y=True)
    x, y = 16 * torch.tensor(images).float(), torch.tensor(kinds)
    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10), OwnSoftmax(cured))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    nll = nn.NLLLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(1300, 50, 14):
            descend(watching, optimizer, nll(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[1300:]), y[1300:])
    return Trained(watching, score, known(x, y, 1300, nll))


def labels_one_and_two(cured: bool, watch: Watch) -> Trained:
    """The kinds are called 1 and 2, as in the sheet, before a loss for 0 and 1."""
    x, y = moons(900)
    labels = (y if cured else y + 1).float()[:, None]
    model = dense(2, 16, 1, activation=nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_fn = nn.BCEWithLogitsLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 20, 20):
            descend(watching, optimizer, loss_fn(model(x[chosen]), labels[chosen]), labels[chosen])
    with torch.no_grad():
        score = float(((model(x[700:])[:, 0] > 0) == (y[700:] == 1)).double().mean())
    return Trained(watching, score, known(x, labels, 700, loss_fn))


PAIRS = [
    Pair(
        "three hidden units that say yes or no",
        "six hidden units of tanh",
        ("parameters_not_updated", "vanishing_gradient"),
        step_function,
        0.93,
        0.96,
    ),
    Pair(
        "goals rounded before the loss",
        "goals as the network says them",
        ("vanishing_gradient", "parameters_not_updated"),
        rounded_before_the_loss,
        0.2,
        0.7,
    ),
    Pair(
        "the share of wrong answers as the loss",
        "cross-entropy in place of wrong answers",
        ("parameters_not_updated",),
        share_of_wrong_ones,
        0.9,
        0.96,
    ),
    Pair(
        "a softmax of one's own over large numbers",
        "a softmax of one's own less the largest",
        ("not_finite",),
        own_softmax,
        0.3,
        0.8,
    ),
    Pair(
        "kinds called 1 and 2",
        "kinds called 0 and 1",
        ("target_out_of_range",),
        labels_one_and_two,
        0.6,
        0.95,
    ),
]
