"""A bonus for entropy that is worth more than any action is named, a small one is not."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.distributions import Categorical

import sevensteps as ss

pytestmark = pytest.mark.draws


def conditions(weight: float, by_hand: bool = False) -> list[str]:
    """A policy over four actions, whose worths are columns of the state."""
    torch.manual_seed(0)
    policy = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 4))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    with ss.watch(policy, optimizer) as watch:
        for _ in range(200):
            state = torch.randn(32, 4)
            logits = policy(state)
            chosen = Categorical(logits=logits)
            action = chosen.sample()
            reward = state.gather(1, action[:, None])[:, 0]
            spread = chosen.entropy()
            if by_hand:
                spread = -(logits.softmax(1) * logits.log_softmax(1)).sum(1)
            loss = -(chosen.log_prob(action) * reward).mean() - weight * spread.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, score=reward.mean())
    return [f.condition for f in watch.diagnose().findings if f.severity != "info"]


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.sampled(1)
def test_a_bonus_above_all_worths(by_hand: bool) -> None:
    assert conditions(12.0, by_hand) == ["loss_terms_unbalanced"]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("weight", [0.0, 0.01])
def test_a_small_bonus(weight: float) -> None:
    assert conditions(weight) == []
