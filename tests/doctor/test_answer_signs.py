"""Answers that the gradient leads away from their targets, and answers that run against them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws

TRUTH = torch.randn(6, 3, generator=torch.Generator().manual_seed(3))


def overlap(output: Tensor, target: Tensor) -> Tensor:
    share = output.sigmoid()
    return ((2 * (share * target).sum(0) + 1) / (share.sum(0) + target.sum(0) + 1)).mean()


def correlation(output: Tensor, target: Tensor) -> Tensor:
    return F.cosine_similarity(output - output.mean(0), target - target.mean(0), dim=0).mean()


def descended(loss_fn: Callable[[Tensor, Tensor], Tensor], y: Tensor, x: Tensor) -> bool:
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, y.shape[1]))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(8) for part in torch.randperm(600).split(60)):
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    return any(f.condition == "loss_sign" for f in watch.diagnose(train=(x, y)).findings)


@five_seeds
def test_a_likeness_to_the_targets_that_is_made_small(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 6)
    numbers = torch.tanh(x @ TRUTH) + 0.1 * torch.randn(600, 3)
    for likeness, y in ((overlap, (numbers > 0.4).float()), (correlation, numbers)):
        assert descended(likeness, y, x)
        assert not descended(lambda o, t, of=likeness: 1 - of(o, t), y, x)


def hazard_error(hazard: Tensor, time: Tensor) -> Tensor:
    """Minus the log partial likelihood (Cox 1972) where nobody was lost to follow-up."""
    order = time[:, 0].argsort(descending=True)
    sorted_hazard = hazard[order, 0]
    return (sorted_hazard.logcumsumexp(0) - sorted_hazard).mean()


@five_seeds
def test_numbers_that_run_against_their_targets_by_right(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 6)
    time = torch.exp(-x[:, :1] + 0.3 * torch.randn(600, 1))
    assert not descended(hazard_error, time, x)


@five_seeds
def test_the_second_of_a_ranked_pair_runs_against_which_is_better(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 6)
    worth = torch.tanh(x[:, :1]) + x[:, 1:2] * x[:, 2:3] / 2
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(12) for part in torch.randperm(600).split(60)):
            others = rows[torch.randperm(60)]
            better = torch.sign(worth[rows] - worth[others])
            loss = F.margin_ranking_loss(model(x[rows]), model(x[others]), better, margin=0.3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=better)
    assert "loss_sign" not in {finding.condition for finding in watch.diagnose().findings}


@pytest.mark.parametrize("least", [True, False])
def test_outputs_of_which_the_least_is_the_answer(least: bool) -> None:
    """Times, of which the shortest counts, are no error turned round."""
    torch.manual_seed(0)
    x = torch.randn(600, 6)
    y = F.one_hot((x @ TRUTH).argmax(1), 3)

    def loss_fn(times: Tensor, target: Tensor) -> Tensor:
        kind = target.argmax(1)
        return F.cross_entropy(-times, kind) if least else -F.cross_entropy(times, kind)

    assert descended(loss_fn, y, x) is not least
