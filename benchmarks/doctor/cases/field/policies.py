"""Policies with a critic."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, descend, healthy
from benchmarks.doctor.networks import dense


class ActorCritic(nn.Module):
    """One body, two heads: the policy and the value."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 48), nn.Tanh())
        self.policy, self.value = nn.Linear(48, 3), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.policy(h), self.value(h)[:, 0]


@torch.no_grad()
def skill(model: nn.Module, truth: Tensor) -> float:
    x = torch.randn(2000, 6)
    return float((model(x)[0].argmax(1) == (x @ truth).argmax(1)).double().mean())


def actor_critic() -> Trained:
    truth = torch.randn(6, 3)
    model = ActorCritic()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(600):
            x = torch.randn(64, 6)
            logits, value = model(x)
            policy = torch.distributions.Categorical(logits=logits)
            action = policy.sample()
            reward = (x @ truth).gather(1, action[:, None])[:, 0]
            advantage = (reward - value).detach()
            loss = -(policy.log_prob(action) * advantage).mean()
            loss = loss + 0.5 * F.mse_loss(value, reward) - 0.01 * policy.entropy().mean()
            descend(watch, optimizer, loss)
    return Trained(watch, skill(model, truth))


def proximal() -> Trained:
    """Several epochs on each round of experience, with the ratio to the old policy clipped."""
    truth = torch.randn(6, 3)
    model = ActorCritic()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(40):
            x = torch.randn(256, 6)
            with torch.no_grad():
                logits, value = model(x)
                old = torch.distributions.Categorical(logits=logits)
                action = old.sample()
                reward = (x @ truth).gather(1, action[:, None])[:, 0]
                advantage = reward - value
                advantage = (advantage - advantage.mean()) / advantage.std()
                before = old.log_prob(action)
            for _ in range(3):
                for chosen in torch.randperm(256).split(64):
                    logits, value = model(x[chosen])
                    policy = torch.distributions.Categorical(logits=logits)
                    ratio = (policy.log_prob(action[chosen]) - before[chosen]).exp()
                    gain = torch.minimum(
                        ratio * advantage[chosen], ratio.clamp(0.8, 1.2) * advantage[chosen]
                    )
                    loss = -gain.mean() + 0.5 * F.mse_loss(value, reward[chosen])
                    loss = loss - 0.01 * policy.entropy().mean()
                    optimizer.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                    optimizer.step()
                    watch.step(loss)
    return Trained(watch, skill(model, truth))


def deterministic() -> Trained:
    """An actor that follows the slope of a critic, each with its own optimizer."""
    truth = torch.randn(6, 1)
    actor = nn.Sequential(dense(6, 32, 1), nn.Tanh())
    critic = dense(7, 64, 1)
    a_optimizer = torch.optim.Adam(actor.parameters(), lr=2e-3)
    c_optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3)
    networks = {"actor": (actor, a_optimizer), "critic": (critic, c_optimizer)}
    with ss.watch(networks) as watch:
        for _ in range(500):
            x = torch.randn(64, 6)
            action = (actor(x).detach() + 0.3 * torch.randn(64, 1)).clamp(-1, 1)
            reward = -(action - torch.tanh(x @ truth)).square()
            c_loss = F.mse_loss(critic(torch.cat([x, action], 1)), reward)
            c_optimizer.zero_grad()
            c_loss.backward()
            c_optimizer.step()
            a_loss = -critic(torch.cat([x, actor(x)], 1)).mean()
            a_optimizer.zero_grad()
            a_loss.backward()
            a_optimizer.step()
            watch.step(a_loss)
    x = torch.randn(2000, 6)
    with torch.no_grad():
        error = float((actor(x) - torch.tanh(x @ truth)).square().mean())
    return Trained(watch, 1 - error)


CASES = [
    healthy("actor-critic", actor_critic),
    healthy("proximal policy", proximal),
    healthy("actor and critic apart", deterministic),
]
