"""Agents: what is rewarded reaches no weight, drowns, or points the other way."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical, Normal

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained
from benchmarks.doctor.networks import dense

STATES, ACTIONS = 8, 4


def payoffs() -> Tensor:
    """What each action brings in each state [8, 4]: one of them is by far the best."""
    table = 0.3 * torch.rand(STATES, ACTIONS)
    table[torch.arange(STATES), torch.randint(ACTIONS, (STATES,))] += 1.0
    return table


def visits(count: int) -> tuple[Tensor, Tensor]:
    """States by number [N] and as they are observed [N, 8]."""
    state = torch.randint(STATES, (count,))
    return state, F.one_hot(state, STATES).float() + 0.05 * torch.randn(count, STATES)


def turn(watching: Any, optimizer: torch.optim.Optimizer, loss: Tensor, **more: Any) -> None:
    """One step."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watching.step(loss, **more)


def best_choices(logits: Tensor, state: Tensor, table: Tensor) -> float:
    """The share of states in which the best action is the likeliest."""
    return float((logits.argmax(1) == table[state].argmax(1)).double().mean())


def policy(watch: Watch, loss_of: Any, steps: int, lr: float = 1e-2) -> Trained:
    """REINFORCE on single decisions; `loss_of(policy, action, reward)`."""
    table = payoffs()
    model = dense(STATES, 32, ACTIONS, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    with watch(model, optimizer) as watching:
        for _ in range(steps):
            state, x = visits(48)
            chooser = Categorical(logits=model(x))
            action = chooser.sample()
            reward = table[state, action] + 0.1 * torch.randn(48)
            loss = loss_of(chooser, action, reward)
            turn(watching, optimizer, loss, score=float(reward.mean()))
    state, x = visits(600)
    with torch.no_grad():
        chance = model(x).softmax(1).gather(1, table[state].argmax(1)[:, None])
    return Trained(watching, float(chance.mean()))


def entropy_drowns(cured: bool, watch: Watch) -> Trained:
    """The bonus for entropy weighs two hundred times what it should."""

    def loss_of(chooser: Categorical, action: Tensor, reward: Tensor) -> Tensor:
        gain = (chooser.log_prob(action) * (reward - reward.mean())).mean()
        return -gain - (0.01 if cured else 20.0) * chooser.entropy().mean()

    return policy(watch, loss_of, 200)


def cost_for_reward(cured: bool, watch: Watch) -> Trained:
    """The loss is the likelihood times the reward, without the minus."""
    sign = -1 if cured else 1

    def loss_of(chooser: Categorical, action: Tensor, reward: Tensor) -> Tensor:
        return sign * (chooser.log_prob(action) * (reward - 0.5)).mean()

    return policy(watch, loss_of, 200)


def likelihood_as_number(cured: bool, watch: Watch) -> Trained:
    """The likelihoods are collected without their graph; what is left to learn is the value."""
    table = payoffs()

    class Agent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.actor, self.critic = dense(STATES, 32, ACTIONS), dense(STATES, 32, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.actor(x), self.critic(x)[:, 0]

    model = Agent()
    optimizer = torch.optim.RMSprop(model.parameters(), 3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(250):
            state, x = visits(48)
            logits, value = model(x)
            chooser = Categorical(logits=logits)
            action = chooser.sample()
            reward = table[state, action]
            chances = chooser.log_prob(action)
            chances = chances if cured else chances.detach()
            advantage = (reward - value).detach()
            loss = -(chances * advantage).mean() + 0.5 * F.mse_loss(value, reward)
            turn(watching, optimizer, loss, score=float(reward.mean()))
    state, x = visits(600)
    with torch.no_grad():
        return Trained(watching, best_choices(model(x)[0], state, table))


def values_by_column(cured: bool, watch: Watch) -> Trained:
    """The values [B, 1] are compared with returns [B]."""
    table = payoffs()
    model = dense(STATES + ACTIONS, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    loss_fn = nn.SmoothL1Loss()

    def question(x: Tensor, action: Tensor) -> Tensor:
        return torch.cat([x, F.one_hot(action, ACTIONS).float()], 1)

    with watch(model, optimizer) as watching:
        for _ in range(250):
            state, x = visits(48)
            action = torch.randint(ACTIONS, (48,))
            reward = table[state, action] + 0.05 * torch.randn(48)
            target = reward[:, None] if cured else reward
            turn(watching, optimizer, loss_fn(model(question(x, action)), target), target=target)
    state, x = visits(600)
    action = torch.randint(ACTIONS, (600,))
    with torch.no_grad():
        score = explained(model(question(x, action)), table[state, action][:, None])
    return Trained(watching, score)


def spread_of_zero(cured: bool, watch: Watch) -> Trained:
    """A continuous action whose spread is a ReLU: at 0 its density is not finite."""
    model = dense(STATES, 32, 2)
    aim = torch.randn(STATES)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with watch(model, optimizer) as watching:
        for _ in range(250):
            state, x = visits(64)
            mean, width = model(x).chunk(2, 1)
            spread = F.softplus(width) + 0.05 if cured else F.relu(width)
            chooser = Normal(mean, spread, validate_args=False)
            action = (mean + spread * torch.randn_like(mean)).detach()
            reward = -((action[:, 0] - aim[state]) ** 2)
            gain = (reward - reward.mean()) / (reward.std() + 1e-6)
            loss = -(chooser.log_prob(action)[:, 0] * gain).mean()
            turn(watching, optimizer, loss, score=float(reward.mean()))
    state, x = visits(600)
    with torch.no_grad():
        error = ((model(x)[:, 0] - aim[state]) ** 2).mean()
    return Trained(watching, float(1 - error / aim.var()) if bool(error.isfinite()) else -1.0)


PAIRS = [
    Pair(
        "a bonus for entropy that drowns the reward",
        "a small bonus for entropy",
        ("loss_terms_unbalanced",),
        entropy_drowns,
        0.7,
        0.8,
    ),
    Pair(
        "rewards taken for costs",
        "rewards taken for rewards",
        ("loss_sign",),
        cost_for_reward,
        0.3,
        0.8,
    ),
    Pair(
        "likelihoods kept as numbers",
        "likelihoods with their graph",
        ("parameters_not_updated",),
        likelihood_as_number,
        0.5,
        0.8,
    ),
    Pair(
        "values in a column, returns in a row",
        "values and returns in columns",
        ("target_shape_mismatch",),
        values_by_column,
        0.3,
        0.8,
    ),
    Pair(
        "the spread of an action is a ReLU",
        "the spread of an action is positive",
        ("not_finite",),
        spread_of_zero,
        0.0,
        0.6,
    ),
]
