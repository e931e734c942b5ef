"""The sign of a loss that is no error, by the score that the loop reports."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws

TRUTH = torch.randn(6, 3, generator=torch.Generator().manual_seed(3))
Play = Callable[[nn.Module, float], tuple[Tensor, float]]
BEST = torch.randn(6, 2, generator=torch.Generator().manual_seed(4))


def categorical(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """One of three actions, rewarded where it is the best."""
    x = torch.randn(64, 6)
    policy = torch.distributions.Categorical(logits=model(x)[:, :3])
    action = policy.sample()
    reward = (action == (x @ TRUTH).argmax(1)).float()
    return -sign * (policy.log_prob(action) * (reward - 0.3)).mean(), float(reward.mean())


def normal(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """Two numbers, the better the nearer to the right ones."""
    x = torch.randn(64, 6)
    policy = torch.distributions.Normal(model(x)[:, :2], 0.5)
    action = policy.sample()
    reward = -(action - x @ BEST).square().sum(1).sqrt()
    advantage = (reward - reward.mean()) / reward.std()
    return -sign * (policy.log_prob(action).sum(1) * advantage).mean(), float(reward.mean())


def by_cost(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """As people write it where actions cost something: no minus belongs there."""
    x = torch.randn(64, 6)
    policy = torch.distributions.Categorical(logits=model(x)[:, :3])
    action = policy.sample()
    cost = (action != (x @ TRUTH).argmax(1)).float()
    return sign * (policy.log_prob(action) * (cost - 0.6)).mean(), -float(cost.mean())


def pairs(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """Codes of two views of a sample, near to each other; far, with the sign turned."""
    x = torch.randn(64, 6)
    one, other = (F.normalize(model(x + 0.5 * torch.randn(64, 6)), dim=1) for _ in range(2))
    alike = one @ other.T
    score = float((alike.argmax(1) == torch.arange(64)).double().mean())
    return F.cross_entropy(sign * 5 * alike, torch.arange(64)), score


def findings(play: Play, sign: float, tell: bool, seed: int) -> dict[str, Finding]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            loss, score = play(model, sign)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, score=score if tell else None)
    return {finding.condition: finding for finding in watch.diagnose().findings}


PLAYS = pytest.mark.parametrize("play", [categorical, normal, by_cost, pairs])


@PLAYS
@five_seeds
@pytest.mark.sampled(1)
def test_a_score_that_falls_as_the_loss_is_made_small(play: Play, seed: int) -> None:
    found = findings(play, -1.0, True, seed)
    assert found["loss_sign"].severity == "error"


@PLAYS
@five_seeds
@pytest.mark.sampled(1)
def test_a_score_that_rises(play: Play, seed: int) -> None:
    assert "loss_sign" not in findings(play, 1.0, True, seed)


def distances(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    x = torch.randn(64, 6)
    one, other = (model(x + 0.5 * torch.randn(64, 6)) for _ in range(2))
    apart = torch.cdist(one, other)
    logits = -apart if sign > 0 else apart
    return F.cross_entropy(logits, torch.arange(64)), 0.0


def subtracted(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    x = torch.randn(64, 6)
    one, other = (F.normalize(model(x + 0.5 * torch.randn(64, 6)), dim=1) for _ in range(2))
    alike = 5 * one @ other.T
    return F.cross_entropy(alike if sign > 0 else 1 - alike, torch.arange(64)), 0.0


def squared(model: nn.Module, sign: float) -> tuple[Tensor, float]:
    """Distances by way of products, with the minus that belongs there."""
    x = torch.randn(64, 6)
    one, other = (model(x + 0.5 * torch.randn(64, 6)) for _ in range(2))
    products = one @ other.T
    apart = one.square().sum(1)[:, None] + other.square().sum(1) - 2 * products
    return F.cross_entropy(-apart, torch.arange(64)), 0.0


@pytest.mark.parametrize("play", [pairs, distances, subtracted])
@five_seeds
@pytest.mark.long
def test_codes_that_are_pushed_apart_are_seen_without_a_score(play: Play, seed: int) -> None:
    assert findings(play, -1.0, False, seed)["loss_sign"].severity == "error"
    assert "loss_sign" not in findings(play, 1.0, False, seed)
    assert "loss_sign" not in findings(squared, 1.0, False, seed)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.sampled(1)
def test_without_a_score_nobody_is_accused(sign: float) -> None:
    for play in (categorical, by_cost):
        found = findings(play, sign, False, 0)
        assert "loss_sign" not in found or found["loss_sign"].severity == "info"


@pytest.mark.parametrize("name", ["reward", "cost"])
@five_seeds
def test_rewards_that_the_loop_names_say_which_sign_is_wrong(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(400):
            x = torch.randn(64, 6)
            policy = torch.distributions.Categorical(logits=model(x))
            action = policy.sample()
            right = action == (x @ TRUTH).argmax(1)
            if name == "reward":
                reward = right.float()
                loss = (policy.log_prob(action) * (reward - 0.3)).mean()
            else:
                cost = 1 - right.float()
                loss = (policy.log_prob(action) * (cost - 0.6)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    found = {finding.condition: finding for finding in watch.diagnose().findings}
    assert found["loss_sign"].severity == ("error" if name == "reward" else "info")


@pytest.mark.parametrize(("sign", "maximize"), [(1.0, False), (-1.0, False), (1.0, True)])
@pytest.mark.sampled(1)
def test_episodes_that_are_weighed_by_their_returns(sign: float, maximize: bool) -> None:
    torch.manual_seed(0)
    policy = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2, maximize=maximize)
    with ss.watch(policy, optimizer) as watch:
        for _ in range(60):
            log_probs, returns = [], []
            for _ in range(6):
                x = torch.randn(6)
                actions = torch.distributions.Categorical(logits=policy(x))
                action = actions.sample()
                log_probs.append(actions.log_prob(action))
                right = action == (x @ TRUTH[:, :2]).argmax()
                returns.append(float(right) - 0.4 * float(x[0] > 0))
            terms = [sign * a * b for a, b in zip(log_probs, returns, strict=True)]
            loss = torch.stack(terms).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    found = {finding.condition: finding for finding in watch.diagnose().findings}
    wrong = sign > 0 and not maximize
    assert ("loss_sign" in found and found["loss_sign"].severity == "error") == wrong
