"""A policy that another term of the loss drowns is named; one that learns is not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import sevensteps as ss

pytestmark = pytest.mark.draws


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("weight", [5.0, 0.01])
@pytest.mark.sampled(1)
def test_a_bonus_for_entropy_that_drowns_what_actions_are_worth_is_named(
    weight: float, named: bool
) -> None:
    torch.manual_seed(0)
    worth = torch.eye(5)
    model = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 5))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(120):
            state = torch.randint(5, (48,))
            chooser = torch.distributions.Categorical(logits=model(torch.eye(5)[state]))
            action = chooser.sample()
            reward = worth[state, action]
            gain = (chooser.log_prob(action) * (reward - reward.mean())).mean()
            bonus = -weight * chooser.entropy().mean()
            policy = -gain
            loss = policy + bonus
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            parts = {"policy": policy, "bonus": bonus} if named else None
            watch.step(loss, score=float(reward.mean()), parts=parts)
    found = watch.diagnose().findings
    assert [f.condition for f in found] == (["loss_terms_unbalanced"] if weight > 1 else [])
    assert all(f.where == {"terms": ["bonus" if named else "Categorical.entropy"]} for f in found)
