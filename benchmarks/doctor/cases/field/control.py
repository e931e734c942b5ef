"""Acting: two critics against one actor, an expert imitated, a world that is learned."""

from __future__ import annotations

import copy
import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def soft_actor() -> Trained:
    """Soft actor-critic in one step: a place in the plane, a move, and how near it brings one."""
    actor, critics = dense(2, 32, 4), nn.ModuleList(dense(4, 32, 1) for _ in range(2))
    slow = copy.deepcopy(critics).requires_grad_(False)
    heat = nn.Parameter(torch.tensor(-2.0))
    actor_optimizer = torch.optim.Adam(actor.parameters(), lr=2e-3)
    critic_optimizer = torch.optim.Adam(critics.parameters(), lr=4e-3)
    heat_optimizer = torch.optim.Adam([heat], lr=4e-3)

    def act(state: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = actor(state).chunk(2, 1)
        normal = torch.distributions.Normal(mean, log_std.clamp(-4, 1).exp())
        raw = normal.rsample()
        squash = torch.log1p(-torch.tanh(raw).square() + 1e-6)
        return torch.tanh(raw), (normal.log_prob(raw) - squash).sum(1)

    def values(networks: nn.ModuleList, state: Tensor, action: Tensor) -> list[Tensor]:
        both = torch.cat([state, action], 1)
        return [network(both).squeeze(1) for network in networks]

    networks = {"actor": (actor, actor_optimizer), "critics": (critics, critic_optimizer)}
    with ss.watch(networks) as watch:
        for _ in range(220):
            state = 2 * torch.rand(48, 2) - 1
            with torch.no_grad():
                action, _ = act(state)
                reward = 1 - (state + action).square().sum(1)
                following = (state + 0.5 * action).clamp(-1, 1)
                later, log_p = act(following)
                ahead = torch.minimum(*values(slow, following, later)) - heat.exp() * log_p
                aim = reward + 0.3 * ahead
            critic_loss = sum(
                (F.mse_loss(q, aim) for q in values(critics, state, action)), torch.zeros(())
            )
            critic_optimizer.zero_grad()
            critic_loss.backward()
            critic_optimizer.step()
            move, log_p = act(state)
            worth = torch.minimum(*values(critics, state, move))
            actor_loss = (heat.exp().detach() * log_p - worth).mean()
            actor_optimizer.zero_grad()
            actor_loss.backward()
            actor_optimizer.step()
            heat_optimizer.zero_grad()
            (-heat * (log_p.detach().mean() - 1.5)).backward()
            heat_optimizer.step()
            watch.step(actor_loss)
            with torch.no_grad():
                for p, q in zip(slow.parameters(), critics.parameters(), strict=True):
                    p.lerp_(q, 0.05)
    state = 2 * torch.rand(300, 2) - 1
    with torch.no_grad():
        mean = torch.tanh(actor(state)[:, :2])
    return Trained(watch, float(1 - (state + mean).square().sum() / state.square().sum()))


def imitated() -> Trained:
    """An expert's moves, as a normal distribution's likelihood."""
    x = torch.randn(1000, 5)
    moves = torch.stack([torch.tanh(x[:, 0] - x[:, 1]), torch.sin(x[:, 2])], 1)
    y = moves + 0.1 * torch.randn(1000, 2)

    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean, self.log_std = dense(5, 48, 2), nn.Parameter(torch.zeros(2))

        def forward(self, x: Tensor) -> torch.distributions.Normal:
            return torch.distributions.Normal(self.mean(x), self.log_std.exp())

    model = Policy()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 50, 15):
            descend(watch, optimizer, -model(x[chosen]).log_prob(y[chosen]).mean(), y[chosen])
    known = {"train": (x[:800], y[:800]), "valid": (x[800:], y[800:])}
    return Trained(watch, r2(model(x[800:]).mean, moves[800:]), known)


def world() -> Trained:
    """What comes next, and what it brings, from pairs of state and move."""
    model = nn.ModuleDict({"next": dense(4, 48, 3), "reward": dense(4, 24, 1)})
    optimizer = torch.optim.Adam(itertools.chain(model.parameters()), lr=4e-3)

    def draw(count: int) -> tuple[Tensor, Tensor, Tensor]:
        state, move = torch.randn(count, 3), torch.randn(count, 1)
        shift = torch.cat([state[:, 1:], move], 1)
        after = state + 0.3 * torch.tanh(shift)
        return torch.cat([state, move], 1), after, -after.square().sum(1, keepdim=True)

    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            both, after, reward = draw(48)
            guess = both[:, :3] + model["next"](both)
            loss = F.mse_loss(guess, after) + 0.1 * F.smooth_l1_loss(model["reward"](both), reward)
            descend(watch, optimizer, loss, after)
    both, after, reward = draw(400)
    with torch.no_grad():
        shift = r2(model["next"](both), after - both[:, :3])
        worth = r2(model["reward"](both), reward)
    return Trained(watch, (shift + worth) / 2)


CASES = [
    healthy("two critics, soft", soft_actor),
    healthy("an expert imitated", imitated),
    healthy("a world learned", world),
]
