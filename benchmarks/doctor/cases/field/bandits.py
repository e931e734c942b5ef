"""One decision at a time, and a reward for it: bandits that know a context."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, healthy
from benchmarks.doctor.networks import dense

ARMS = 5


class Shop:
    """Visitors [N, 6] and how likely each of five offers pleases them."""

    def __init__(self) -> None:
        self.tastes = torch.randn(6, ARMS)

    def chances(self, visitors: Tensor) -> Tensor:
        return torch.sigmoid(1.5 * visitors @ self.tastes - 1)

    def reward(self, visitors: Tensor, offer: Tensor) -> Tensor:
        chance = self.chances(visitors).gather(1, offer[:, None])[:, 0]
        return torch.bernoulli(chance)

    def score(self, offer: Tensor, visitors: Tensor) -> float:
        """The expected reward: 1 of the best offers, 0 of random ones."""
        chances = self.chances(visitors)
        reward = chances.gather(1, offer[:, None]).mean()
        best, chance = chances.max(1).values.mean(), chances.mean()
        return float((reward - chance) / (best - chance))


class Actor(nn.Module):
    """Logits of the offers and the reward that is expected."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 48), nn.Tanh())
        self.policy, self.value = nn.Linear(48, ARMS), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.policy(h), self.value(h)[:, 0]


def clipped() -> Trained:
    """PPO: four epochs on each batch of decisions, the ratio clipped at 0.2."""
    shop, model = Shop(), Actor()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, eps=1e-5)
    with ss.watch(model, optimizer) as watch:
        for _ in range(25):
            visitors = torch.randn(256, 6)
            with torch.no_grad():
                logits, value = model(visitors)
                before = Categorical(logits=logits)
                offer = before.sample()
                log_before = before.log_prob(offer)
                reward = shop.reward(visitors, offer)
                gain = reward - value
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
            for rows in batches(256, 64, 4):
                logits, value = model(visitors[rows])
                now = Categorical(logits=logits)
                ratio = (now.log_prob(offer[rows]) - log_before[rows]).exp()
                bounded = ratio.clamp(0.8, 1.2)
                policy = -torch.min(ratio * gain[rows], bounded * gain[rows]).mean()
                critic = 0.5 * F.mse_loss(value, reward[rows])
                spread = -0.01 * now.entropy().mean()
                loss = policy + critic + spread
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()
                watch.step(
                    loss,
                    score=reward.mean(),
                    parts={"policy": policy, "critic": critic, "entropy": spread},
                )
    visitors = torch.randn(1000, 6)
    with torch.no_grad():
        return Trained(watch, shop.score(model(visitors)[0].argmax(1), visitors))


def logged() -> Trained:
    """Decisions of an older system, each weighed by how likely that one was to make it."""
    shop = Shop()
    visitors = torch.randn(4000, 6)
    older = F.softmax(0.4 * visitors @ torch.randn(6, ARMS), 1)
    offer = older.multinomial(1)
    chance = older.gather(1, offer)[:, 0]
    reward = shop.reward(visitors, offer[:, 0])
    model = dense(6, 32, ARMS, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-4)
    baseline = reward.mean()
    with ss.watch(model, optimizer) as watch:
        for rows in batches(4000, 100, 10):
            p = model(visitors[rows]).softmax(1).gather(1, offer[rows])[:, 0]
            weight = (p / chance[rows]).clamp(max=10)
            loss = -(weight * (reward[rows] - baseline)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                estimate = (weight * reward[rows]).sum() / weight.sum()
            watch.step(loss, score=estimate)
    later = torch.randn(1000, 6)
    with torch.no_grad():
        return Trained(watch, shop.score(model(later).argmax(1), later))


def remembered() -> Trained:
    """The reward of each offer by regression; mostly the best is chosen, at times any."""
    shop = Shop()
    model = dense(6, 64, ARMS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    contexts, arms, paid = torch.empty(0, 6), torch.empty(0, dtype=torch.long), torch.empty(0)
    with ss.watch(model, optimizer) as watch:
        for round_ in range(120):
            visitors = torch.randn(32, 6)
            with torch.no_grad():
                offer = model(visitors).argmax(1)
            anything = torch.rand(32) < max(0.1, 1 - round_ / 60)
            offer = torch.where(anything, torch.randint(ARMS, (32,)), offer)
            reward = shop.reward(visitors, offer)
            contexts = torch.cat([contexts, visitors])
            arms, paid = torch.cat([arms, offer]), torch.cat([paid, reward])
            for _ in range(4):
                rows = torch.randint(len(paid), (64,))
                answer = model(contexts[rows]).gather(1, arms[rows, None])[:, 0]
                loss = F.binary_cross_entropy_with_logits(answer, paid[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=paid[rows], score=reward.mean())
    later = torch.randn(1000, 6)
    with torch.no_grad():
        return Trained(watch, shop.score(model(later).argmax(1), later))


CASES = [
    healthy("a bandit with clipped ratios", clipped),
    healthy("a bandit from logged decisions", logged),
    healthy("a bandit that remembers", remembered),
]
