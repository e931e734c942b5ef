"""Networks that play against each other: what no gradient reaches, or one by mistake."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss

pytestmark = pytest.mark.draws


@pytest.mark.parametrize("cut", [True, False])
def test_a_generator_that_no_gradient_reaches(cut: bool) -> None:
    torch.manual_seed(0)
    generator, judge = nn.Linear(4, 6), nn.Linear(6, 1)
    optimizers = [torch.optim.Adam(net.parameters(), 1e-3) for net in (generator, judge)]
    g_opt, j_opt = optimizers
    ones, zeros = torch.ones(16, 1), torch.zeros(16, 1)
    judged = F.binary_cross_entropy_with_logits
    with ss.watch({"G": (generator, g_opt), "J": (judge, j_opt)}) as watch:
        for _ in range(60):
            made = generator(torch.randn(16, 4))
            loss = judged(judge(torch.randn(16, 6)), ones) + judged(judge(made.detach()), zeros)
            j_opt.zero_grad()
            loss.backward()
            j_opt.step()
            loss = judged(judge(made.detach() if cut else made), ones)
            g_opt.zero_grad()
            loss.backward()
            g_opt.step()
            watch.step(loss)
    found = [f for f in watch.diagnose().findings if f.condition == "parameters_not_updated"]
    assert [f.where["network"] for f in found] == (["G"] if cut else [])


@pytest.mark.parametrize("apart", [True, False])
def test_a_critic_that_does_not_detach_accuses_no_generator(apart: bool) -> None:
    """Five steps of the critic for one of the generator, whose gradients are cleared before it."""
    torch.manual_seed(0)
    generator, critic = (
        nn.Linear(4, 6),
        nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1)),
    )
    g_opt, c_opt = (torch.optim.Adam(net.parameters(), 1e-3) for net in (generator, critic))
    with ss.watch({"G": (generator, g_opt), "C": (critic, c_opt)}) as watch:
        for _ in range(40):
            for _ in range(5):
                c_opt.zero_grad()
                g_opt.zero_grad()
                made = critic(generator(torch.randn(16, 4))).mean()
                real = -critic(1 + torch.randn(16, 6)).mean()
                for loss in (made, real) if apart else (made + real,):
                    loss.backward()
                c_opt.step()
            g_opt.zero_grad()
            loss = -critic(generator(torch.randn(16, 4))).mean()
            loss.backward()
            g_opt.step()
            watch.step(loss)
    found = {f.condition for f in watch.diagnose().findings if f.severity != "info"}
    assert not found & {"gradient_discarded", "gradient_not_cleared", "parameters_not_updated"}
