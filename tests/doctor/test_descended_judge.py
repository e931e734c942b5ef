"""An actor that is led down its critic's answer is named; one that is led up, or has a critic of
costs, is not.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

import sevensteps as ss

pytestmark = pytest.mark.draws


def conditions(sign: float, costs: bool) -> list[str]:
    """A bandit whose best action is that of its state; the critic learns rewards, or costs."""
    torch.manual_seed(0)
    actor = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1), nn.Tanh())
    critic = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 1))
    steers = torch.optim.Adam(actor.parameters(), lr=2e-3)
    judges = torch.optim.Adam(critic.parameters(), lr=1e-2)
    with ss.watch({"actor": (actor, steers), "critic": (critic, judges)}) as watch:
        for _ in range(400):
            state = torch.rand(48, 1) - 0.5
            action = actor(state).detach() + 0.3 * torch.randn(48, 1)
            reward = -((action - state) ** 2)
            learned = -reward if costs else reward
            error = ((critic(torch.cat([state, action], 1)) - learned) ** 2).mean()
            judges.zero_grad()
            error.backward()
            judges.step()
            wish = sign * critic(torch.cat([state, actor(state)], 1)).mean()
            steers.zero_grad()
            wish.backward()
            steers.step()
            watch.step(wish + error.detach(), score=reward.mean())
    return [f.condition for f in watch.diagnose().findings if f.severity != "info"]


@pytest.mark.parametrize(
    ("sign", "costs", "named"), [(1, False, True), (-1, False, False), (1, True, False)]
)
@pytest.mark.sampled(2)
def test_what_is_made_small_is_the_reward(sign: float, costs: bool, named: bool) -> None:
    assert ("loss_sign" in conditions(sign, costs)) == named
