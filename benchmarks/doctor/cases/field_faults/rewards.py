"""Agents that act and are paid."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical

from benchmarks.doctor.cases.field.trained import Trained, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch

ACTIONS = 4


class World:
    """States [count, 6]; in each one of four actions is right and is paid 1, the others 0."""

    def __init__(self) -> None:
        self.weight = torch.randn(6, ACTIONS)

    def states(self, count: int) -> Tensor:
        return torch.randn(count, 6)

    def best(self, states: Tensor) -> Tensor:
        return (states @ self.weight).argmax(1)

    def reward(self, states: Tensor, actions: Tensor) -> Tensor:
        return (self.best(states) == actions).float()


def actor() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, ACTIONS))


@torch.no_grad()
def greedy(output: Tensor, best: Tensor) -> float:
    return float((output.argmax(1) == best).double().mean())


def paid_for_what_is_wrong(cured: bool, watch: Watch) -> Trained:
    """The policy's gradient without its minus."""
    world, policy = World(), actor()
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    with watch(policy, optimizer) as watching:
        for _ in range(300):
            states = world.states(64)
            chances = Categorical(logits=policy(states))
            actions = chances.sample()
            reward = world.reward(states, actions)
            gain = (chances.log_prob(actions) * (reward - reward.mean())).mean()
            descend(watching, optimizer, -gain if cured else gain, score=reward.mean())
    states = world.states(500)
    return Trained(watching, greedy(policy(states), world.best(states)))


def worth_against_all(cured: bool, watch: Watch) -> Trained:
    """What an action is worth comes out as [B, 1] and what it was paid is [B]."""
    world, worth = World(), actor()
    optimizer = torch.optim.Adam(worth.parameters(), lr=5e-3)
    with watch(worth, optimizer) as watching:
        for _ in range(350):
            states, actions = world.states(64), torch.randint(ACTIONS, (64,))
            reward = world.reward(states, actions)
            promised = worth(states).gather(1, actions[:, None])
            target = reward[:, None] if cured else reward
            descend(watching, optimizer, F.smooth_l1_loss(promised, target), target)
    states = world.states(500)
    return Trained(watching, greedy(worth(states), world.best(states)))


class ActorCritic(nn.Module):
    """One body, the scores of the actions and the worth of the state."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 24), nn.Tanh())
        self.policy, self.worth = nn.Linear(24, ACTIONS), nn.Linear(24, 1)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(states)
        return self.policy(h), self.worth(h)[:, 0]


def worth_in_cents(cured: bool, watch: Watch) -> Trained:
    """Each reward is paid in cents, and the error of the worth, squared, is added to the policy's
    loss before the gradient is shortened.
    """
    world, model = World(), ActorCritic()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    unit = 1.0 if cured else 100.0
    with watch(model, optimizer) as watching:
        for _ in range(450):
            states = world.states(64)
            scores, worth = model(states)
            chances = Categorical(logits=scores)
            actions = chances.sample()
            reward = unit * world.reward(states, actions)
            advantage = (reward - worth).detach()
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
            policy = -(chances.log_prob(actions) * advantage).mean()
            critic = 0.5 * F.mse_loss(worth, reward)
            optimizer.zero_grad()
            (policy + critic).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            parts = {"policy": policy, "critic": critic}
            watching.step(policy + critic, parts=parts, score=reward.mean() / unit)
    states = world.states(500)
    return Trained(watching, greedy(model(states)[0], world.best(states)))


def chances_for_scores(cured: bool, watch: Watch) -> Trained:
    """The policy ends in a softmax, and the distribution takes that for scores."""
    world = World()
    policy = actor() if cured else nn.Sequential(*actor(), nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    with watch(policy, optimizer) as watching:
        for _ in range(300):
            states = world.states(64)
            chances = Categorical(logits=policy(states))
            actions = chances.sample()
            reward = world.reward(states, actions)
            loss = -(chances.log_prob(actions) * (reward - reward.mean())).mean()
            descend(watching, optimizer, loss, score=reward.mean())
    states = world.states(1000)
    actions = Categorical(logits=policy(states)).sample()  # it acts as it was trained
    return Trained(watching, float(world.reward(states, actions).mean()))


def corridor(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Steps in a corridor of 8 places: where, left or right, where then, what it was paid, the end.

    The last place is paid 1.
    """
    where, right = torch.randint(7, (count,)), torch.randint(2, (count,))
    then = (where + 2 * right - 1).clamp(min=0)
    end = (then == 7).float()
    return F.one_hot(where, 8).float(), right, F.one_hot(then, 8).float(), end, end


def the_copy_is_trained(cured: bool, watch: Watch) -> Trained:
    """The optimizer holds the network that gives the targets, which is a copy of the other."""
    worth = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    copied = copy.deepcopy(worth)
    optimizer = torch.optim.Adam((worth if cured else copied).parameters(), lr=5e-3)
    with watch(worth, optimizer) as watching:
        for number in range(350):
            where, right, then, reward, end = corridor(64)
            with torch.no_grad():
                target = reward + 0.8 * (1 - end) * copied(then).max(1).values
            promised = worth(where).gather(1, right[:, None])[:, 0]
            descend(watching, optimizer, F.mse_loss(promised, target), target)
            if number % 10 == 9:
                copied.load_state_dict(worth.state_dict())
    truth: Any = 0.8 ** torch.arange(6, -1, -1.0)
    answer = worth(torch.eye(8)[:7]).max(1).values.detach()
    score = 1 - float((answer - truth).abs().mean() / (truth - truth.mean()).abs().mean())
    return Trained(watching, max(score, -1.0))


PAIRS = [
    Pair(
        "policy that flees its reward",
        "policy that seeks its reward",
        ("loss_sign",),
        paid_for_what_is_wrong,
        0.2,
        0.7,
    ),
    Pair(
        "worth of each action against all rewards",
        "worth of each action against its reward",
        ("target_shape_mismatch",),
        worth_against_all,
        0.5,
        0.7,
    ),
    Pair(
        "actor beside a critic of cents",
        "actor beside a critic of whole rewards",
        ("loss_terms_unbalanced", "targets_unscaled"),
        worth_in_cents,
        0.6,
        0.7,
    ),
    Pair(
        "policy of chances that are taken for scores",
        "policy of scores",
        ("output_loss_mismatch",),
        chances_for_scores,
        0.55,
        0.7,
    ),
    Pair(
        "optimizer of the network that gives the targets",
        "optimizer of the network that is asked",
        ("parameters_not_updated",),
        the_copy_is_trained,
        0.2,
        0.7,
    ),
]
