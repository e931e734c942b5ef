"""Rewards in place of losses: bids, prices and budgets, whose objective may fall below zero."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical, Normal

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, healthy
from benchmarks.doctor.networks import dense


def profit_by_gradient() -> Trained:
    """A price for each buyer; less the expected profit is the loss, which is below zero."""
    x = torch.randn(1500, 5)
    worth = 2 + F.softplus(x[:, 0] + 0.5 * x[:, 1] * x[:, 2])

    def profit(price: Tensor, worth: Tensor) -> Tensor:
        return (price - 0.5) * torch.sigmoid(4 * (worth - price))

    model = dense(5, 32, 1, activation=nn.SiLU)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(500):
            rows = torch.randint(0, 1200, (64,))
            earned = profit(1 + F.softplus(model(x[rows])[:, 0]), worth[rows])
            loss = -earned.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, score=earned.mean())
    with torch.no_grad():
        prices = torch.linspace(0.5, 8, 200)
        best = profit(prices[:, None], worth[None, 1200:]).max(0).values.mean()
        earned = profit(1 + F.softplus(model(x[1200:])[:, 0]), worth[1200:]).mean()
    return Trained(watch, float(earned / best))


def bids_by_trial() -> Trained:
    """REINFORCE with a running baseline: which of six bids, for adverts with features."""
    taste = torch.randn(4, 6)
    policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 6))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    baseline = 0.0
    with ss.watch(policy, optimizer) as watch:
        for _ in range(600):
            advert = torch.randn(64, 4)
            choice = Categorical(logits=policy(advert))
            bid = choice.sample()
            reward = (advert @ taste).gather(1, bid[:, None])[:, 0] + 0.5 * torch.randn(64)
            loss = -(choice.log_prob(bid) * (reward - baseline)).mean()
            loss = loss - 0.01 * choice.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            baseline = 0.9 * baseline + 0.1 * float(reward.mean())
            watch.step(loss, score=reward.mean())
    advert = torch.randn(1000, 4)
    worth = advert @ taste
    with torch.no_grad():
        bid = policy(advert).argmax(1, keepdim=True)
    return Trained(watch, float(worth.gather(1, bid).mean() / worth.max(1).values.mean()))


class Pacer(nn.Module):
    """What to spend now, a Gaussian, and what the rest of the day is worth."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 32), nn.Tanh())
        self.mean, self.value = nn.Linear(32, 1), nn.Linear(32, 1)
        self.log_std = nn.Parameter(torch.tensor(-1.0))

    def forward(self, state: Tensor) -> tuple[Normal, Tensor]:
        h = self.body(state)
        return Normal(self.mean(h)[:, 0], self.log_std.exp()), self.value(h)[:, 0]


def day_of_spending(model: Pacer, days: int, greedy: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Log chances, values and rewards, [hours, days] each: spend what the hour's demand asks."""
    demand, log_chances, values, rewards = torch.rand(days), [], [], []
    for hour in range(8):
        policy, value = model(torch.stack([demand, torch.full((days,), hour / 8)], 1))
        spend = policy.mean if greedy else policy.sample()
        log_chances.append(policy.log_prob(spend))
        values.append(value)
        rewards.append(-((spend - 2 * demand + 0.5).square()))
        demand = (0.7 * demand + 0.3 * torch.rand(days)).clamp(0, 1)
    return torch.stack(log_chances), torch.stack(values), torch.stack(rewards)


def spending_over_a_day() -> Trained:
    """Advantage actor-critic with one body; actor's and critic's terms in one loss."""
    model = Pacer()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(250):
            log_chances, values, rewards = day_of_spending(model, 64, False)
            returns = rewards.flip(0).cumsum(0).flip(0)
            advantage = returns - values
            better = advantage.detach()
            actor = -(log_chances * better / (better.std() + 1e-6)).mean()
            critic = advantage.square().mean()
            loss = actor + 0.5 * critic
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            watch.step(loss, parts={"actor": actor, "critic": 0.5 * critic}, score=rewards.mean())
    with torch.no_grad():
        rewards = day_of_spending(model, 500, True)[2]
    return Trained(watch, float(1 + rewards.mean() / 0.3))


CASES = [
    healthy("prices that earn, without a target", profit_by_gradient),
    healthy("bids for adverts by trial", bids_by_trial),
    healthy("spending over a day, actor and critic", spending_over_a_day),
]
