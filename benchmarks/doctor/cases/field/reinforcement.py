"""Values of actions with targets that move, and a policy whose loss says nothing."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, descend, healthy
from benchmarks.doctor.networks import dense

CELLS, DISCOUNT = 10, 0.9  # of a corridor whose right end pays


def one_hot(state: Tensor) -> Tensor:
    return F.one_hot(state, CELLS).float()


def q_learning(double: bool) -> Trained:
    state = torch.randint(1, CELLS - 1, (2000,))
    action = torch.randint(2, (2000,))
    after = state + 2 * action - 1
    reward = (after == CELLS - 1).float()
    done = (after == 0) | (after == CELLS - 1)
    model = dense(CELLS, 48, 2)
    target_network = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for step in range(800):
            chosen = torch.randint(2000, (64,))
            with torch.no_grad():
                values = target_network(one_hot(after[chosen]))
                best = model(one_hot(after[chosen])).argmax(1) if double else values.argmax(1)
                future = values.gather(1, best[:, None])[:, 0]
                target = reward[chosen] + DISCOUNT * future * ~done[chosen]
            value = model(one_hot(state[chosen])).gather(1, action[chosen, None])[:, 0]
            descend(watch, optimizer, F.smooth_l1_loss(value, target), target)
            if step % 40 == 0:
                target_network.load_state_dict(model.state_dict())
    with torch.no_grad():
        right = model(one_hot(torch.arange(1, CELLS - 1))).argmax(1) == 1
    return Trained(watch, float(right.double().mean()))


def reinforce() -> Trained:
    truth = torch.randn(8, 4)
    model = dense(8, 32, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    usual = 0.0
    with ss.watch(model, optimizer) as watch:
        for _ in range(600):
            x = torch.randn(64, 8)
            policy = torch.distributions.Categorical(logits=model(x))
            action = policy.sample()
            reward = (action == (x @ truth).argmax(1)).float()
            loss = -(policy.log_prob(action) * (reward - usual)).mean()
            usual = 0.95 * usual + 0.05 * float(reward.mean())
            descend(watch, optimizer, loss, score=float(reward.mean()))
    x = torch.randn(2000, 8)
    with torch.no_grad():
        score = float((model(x).argmax(1) == (x @ truth).argmax(1)).double().mean())
    return Trained(watch, score)


CASES = [
    healthy("DQN", lambda: q_learning(False)),
    healthy("double DQN", lambda: q_learning(True)),
    healthy("REINFORCE", reinforce),
]
