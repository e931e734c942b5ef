"""Codes that fell into one point are named; codes that differ, and answers, are not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.representation_collapsed import _has_collapsed, examine
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.questions.codes import Codes

pytestmark = pytest.mark.draws

GENERATOR = torch.Generator().manual_seed(0)
KIND = torch.randint(4, (400,), generator=GENERATOR)
X = torch.randn(4, 8, generator=GENERATOR)[KIND] + torch.randn(400, 8, generator=GENERATOR) / 3


def trained(network: nn.Module, loss_of: Any, lr: float = 3e-3, steps: int = 150) -> Finding | None:
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    with ss.watch(network, optimizer) as watch:
        for _ in range(steps):
            rows = torch.randint(400, (40,))
            loss = loss_of(network, rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    assert watch.failure is None
    case: Any = watch.diagnose().case
    return examine(case)


def code() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 5))


def drawn_together(network: nn.Module, rows: Tensor) -> Tensor:
    """Two views of a sample to one point, and nothing that holds others apart."""
    first, second = (network(X[rows] + 0.1 * torch.randn(40, 8)) for _ in range(2))
    return (first - second).square().sum(1).mean() + 0.1 * first.var(0).sum()


def triplets(network: nn.Module, rows: Tensor) -> Tensor:
    distance = torch.cdist(network(X[rows]), network(X[rows]))
    same = KIND[rows][:, None] == KIND[rows]
    near, far = (distance * same).amax(1), (distance + 1e3 * same).amin(1)
    return F.relu(near - far + 0.5).mean()


def test_codes_in_one_point_are_named() -> None:
    finding = trained(code(), drawn_together, lr=1e-2, steps=300)
    assert finding is not None
    assert finding.severity == "error"
    assert finding.explanation.startswith("Different inputs get one and the same code")
    assert "5 numbers" in finding.explanation
    assert finding.remedies


@pytest.mark.parametrize(
    ("spread", "size", "collapsed"),
    [(0.03, 1.0, True), (0.01, 0.2, True), (0.01, 0.05, False), (0.06, 9.0, False)],
)
def test_what_is_left_of_the_spread_counts_with_how_alike_codes_are(
    spread: float, size: float, collapsed: bool
) -> None:
    assert _has_collapsed(Codes("", 64, 5, spread, size, at_first=1.0)) is collapsed
    assert not _has_collapsed(Codes("", 64, 5, spread, size, at_first=None))


def test_codes_that_are_held_apart_are_not_accused() -> None:
    assert trained(code(), triplets) is None


def test_answers_are_no_codes() -> None:
    constant = torch.full((400, 3), 100.0)

    def error(network: nn.Module, rows: Tensor) -> Tensor:
        return F.mse_loss(network(X[rows]), constant[rows] + X[rows, :3] / 1e3)

    assert trained(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3)), error) is None


class Variational(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(8, 6), nn.Linear(3, 8)

    def forward(self, x: Tensor) -> Any:
        mean, log_variance = self.encode(x).chunk(2, 1)
        drawn = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decode(drawn), mean, log_variance


@pytest.mark.parametrize("weight", [20.0, 0.1])
def test_a_posterior_that_says_nothing_is_named(weight: float) -> None:
    def bound(network: nn.Module, rows: Tensor) -> Tensor:
        again, mean, log_variance = network(X[rows])
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return (again - X[rows]).square().sum(1).mean() + weight * divergence.mean()

    finding = trained(Variational(), bound, lr=2e-2, steps=300)
    assert (finding is not None) == (weight > 1)
    if finding is not None:
        assert finding.severity == "warning"
        assert finding.where == {"outputs": ["1", "2"]}


class Towers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = code(), code()

    def forward(self, x: Tensor) -> Any:
        return self.left(x), self.right(x.flip(1))


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    "distance",
    [
        F.mse_loss,
        lambda a, b: (a - b).norm(dim=1).mean(),
        lambda a, b: (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean(),
        lambda a, b: 1 - F.cosine_similarity(a, b).mean(),
        lambda a, b: F.cosine_embedding_loss(a, b, torch.ones(len(a))),
    ],
)
@pytest.mark.sampled(3)
def test_a_loss_that_only_draws_together_is_named(distance: Any, apart: bool) -> None:
    torch.manual_seed(0)

    def loss_of(network: nn.Module, rows: Tensor) -> Tensor:
        a, b = network(X[rows])
        far = F.relu(1 - (a - b.roll(1, 0)).square().sum(1)).mean()
        return distance(a, b) + far if apart else distance(a, b)

    finding = trained(Towers(), loss_of, lr=1e-2, steps=200)
    assert (finding is None) == apart
    if finding is not None:
        assert "nothing in it holds those of different inputs apart" in finding.explanation
