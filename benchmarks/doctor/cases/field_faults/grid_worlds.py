"""Agents in a world of squares: policies, values and imitation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense

STEPS = torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1]])


def squares(count: int) -> tuple[Tensor, Tensor]:
    """Where the agent and its goal are, in -1..1, and how much each of four moves brings. [N, 4],
    [N, 4]
    """
    place, goal = torch.randint(8, (count, 2)), torch.randint(8, (count, 2))
    near = -(place - goal).abs().sum(1)
    after = -((place[:, None] + STEPS) - goal[:, None]).abs().sum(2)
    return torch.cat([place, goal], 1).float() / 3.5 - 1, (after - near[:, None]).float()


def gained(model: nn.Module) -> float:
    """How much of what the best moves bring the policy brings; -1..1."""
    x, gain = squares(500)
    with torch.no_grad():
        chance = model(x).softmax(1)
    return float((gain * chance).sum() / gain.amax(1).sum())


def policy(cured: bool, watch: Watch, faulty_sign: bool, bonus: float) -> Trained:
    """Moves drawn from a policy, and their gains."""
    model = dense(4, 48, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    sign = -1.0 if cured or not faulty_sign else 1.0
    with watch(model, optimizer) as watching:
        for _ in range(300):
            x, gain = squares(64)
            drawn = torch.distributions.Categorical(logits=model(x))
            move = drawn.sample()
            reward = gain.gather(1, move[:, None])[:, 0]
            actor = (drawn.log_prob(move) * reward).mean() * sign
            entropy = drawn.entropy().mean()
            weight = 0.01 if cured else bonus
            parts = {"actor": actor, "entropy": -weight * entropy}
            loss = actor - weight * entropy
            descend(watching, optimizer, loss, parts=parts, score=float(reward.mean()))
    return Trained(watching, gained(model))


def ascending_policy(cured: bool, watch: Watch) -> Trained:
    return policy(cured, watch, faulty_sign=True, bonus=0.01)


def entropy_above_all(cured: bool, watch: Watch) -> Trained:
    return policy(cured, watch, faulty_sign=False, bonus=30.0)


def values_in_a_column(cured: bool, watch: Watch) -> Trained:
    """Values of the moves taken, gathered as a column and compared with a row."""
    model = dense(4, 48, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for _ in range(300):
            x, gain = squares(64)
            move = torch.randint(4, (64, 1))
            value = model(x).gather(1, move)
            reward = gain.gather(1, move)[:, 0]
            loss = F.smooth_l1_loss(value.squeeze(1) if cured else value, reward)
            descend(watching, optimizer, loss, reward)
    x, gain = squares(500)
    return Trained(watching, explained(model(x), gain))


def imitation_behind_a_frozen_eye(cured: bool, watch: Watch) -> Trained:
    """An eye frozen for a pretraining that never was."""
    x, gain = squares(1500)
    y = gain.argmax(1)
    eye, head = (
        nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2), nn.Tanh()),
        dense(2, 24, 4),
    )
    if not cured:
        for p in eye.parameters():
            p.requires_grad_(False)
    model = nn.Sequential(eye, head)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1200], y[:1200], 15)
    return Trained(watching, right(model(x[1200:]), y[1200:]), known(x, y, 1200, F.cross_entropy))


class Blind(nn.Module):
    """Sees the agent's place, and its goal perhaps."""

    def __init__(self, goal: bool) -> None:
        super().__init__()
        self.body = dense(4, 48, 4)
        self.goal = goal

    def forward(self, x: Tensor) -> Tensor:
        place = x[:, :2]
        goal = x[:, 2:] if self.goal else x[:, 4:].new_zeros(len(x), 2)
        move: Tensor = self.body(torch.cat([place, goal], 1))
        return move


def goal_left_out(cured: bool, watch: Watch) -> Trained:
    x, gain = squares(1500)
    y = gain.argmax(1)
    model = Blind(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1200], y[:1200], 12)
    return Trained(watching, right(model(x[1200:]), y[1200:]), known(x, y, 1200, F.cross_entropy))


PAIRS = [
    Pair(
        "log-probabilities times rewards minimised",
        "log-probabilities times rewards maximised",
        ("loss_sign",),
        ascending_policy,
        0.0,
        0.8,
    ),
    Pair(
        "a bonus for entropy above all rewards",
        "a small bonus for entropy in a grid",
        ("loss_terms_unbalanced",),
        entropy_above_all,
        0.3,
        0.85,
    ),
    Pair(
        "values of moves as a column beside rewards",
        "values of moves and rewards alike in shape",
        ("target_shape_mismatch",),
        values_in_a_column,
        0.3,
        0.7,
    ),
    Pair(
        "imitation behind a frozen eye",
        "imitation with an eye that learns",
        ("parameters_not_updated",),
        imitation_behind_a_frozen_eye,
        0.9,
        0.97,
    ),
    Pair(
        "moves chosen without the goal",
        "moves chosen by place and goal",
        ("input_not_used",),
        goal_left_out,
        0.8,
        0.95,
    ),
]
