"""Likelihoods of one among many, in losses as people write them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.loss_sign import examine
from sevensteps.doctor.lowered_likelihood import lowered_likelihood

pytestmark = pytest.mark.draws

X = torch.randn(300, 6, generator=torch.Generator().manual_seed(0))


def cox(risk: Tensor, x: Tensor) -> Tensor:
    """Those who die first have the largest first number."""
    order = x[:, 0].argsort()
    died = (x[order, 1] > -0.5).float()
    risk = risk[order, 0]
    return ((risk - risk.logcumsumexp(0)) * died).sum() / died.sum()


def best_of_all(score: Tensor, x: Tensor) -> Tensor:
    return score[x[:, 0].argmax(), 0] - score[:, 0].logsumexp(0)


def case(likelihood: Any, sign: float) -> Any:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(300).repeat(4).split(30):
            loss = sign * likelihood(network(X[rows]), X[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return watch.diagnose().case


@pytest.mark.parametrize("likelihood", [cox, best_of_all])
def test_a_likelihood_that_is_made_small_is_named(likelihood: Any) -> None:
    right, wrong = case(likelihood, -1.0), case(likelihood, 1.0)
    factor = lowered_likelihood(right.looks[0])
    assert factor is not None
    assert factor < 0
    assert examine(right) is None
    finding = examine(wrong)
    assert finding is not None
    assert "made small" in finding.explanation


TWO = X[:, :1] * X[:, 1:2]


def normal(answer: Tensor, y: Tensor) -> Tensor:
    """The log-likelihood of a mean and a spread, by PyTorch's distribution."""
    spread = answer[:, 1:].clamp(-3, 3).exp()
    return torch.distributions.Normal(answer[:, :1], spread).log_prob(y).mean()


def normal_by_hand(answer: Tensor, y: Tensor) -> Tensor:
    """The same in a formula."""
    log_variance = answer[:, 1:].clamp(-3, 3)
    return -0.5 * (log_variance + (y - answer[:, :1]) ** 2 / log_variance.exp()).mean()


def error(answer: Tensor, y: Tensor) -> Tensor:
    """No likelihood, but an error with a minus."""
    return -(1 + (answer[:, :1] - y).square()).sqrt().mean() + 0 * answer.sum()


def numbers(likelihood: Any, sign: float) -> Any:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(300).repeat(20).split(30):
            loss = sign * likelihood(network(X[rows]), TWO[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=TWO[rows])
    return watch.diagnose(train=(X, TWO)).case


@pytest.mark.parametrize("likelihood", [normal, normal_by_hand, error])
@pytest.mark.sampled(1)
def test_what_drives_numbers_from_their_targets_is_named(likelihood: Any) -> None:
    assert examine(numbers(likelihood, -1.0)) is None
    finding = examine(numbers(likelihood, 1.0))
    assert finding is not None
    assert finding.severity == "error"
