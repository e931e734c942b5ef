"""A generator and a judge of what it draws."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch

MIDDLE, SPREAD = torch.tensor([2.5, -2.0]), torch.tensor([0.6, 1.0])


def real(count: int) -> Tensor:
    return MIDDLE + SPREAD * torch.randn(count, 2)


def drawer(bounded: bool = False) -> nn.Sequential:
    last = [nn.Tanh()] if bounded else []
    return nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2), *last)


def judge(outputs: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, outputs))


@torch.no_grad()
def likeness(generator: nn.Module) -> float:
    """1 where mean and spread are those of the real points, less by how far they are from them."""
    drawn = generator(torch.randn(2000, 4))
    middle = (drawn.mean(0) - MIDDLE).abs().mean()
    spread = (drawn.std(0) - SPREAD).abs().mean()
    return max(float(1 - middle - spread), -1.0)


def play(
    watch: Watch,
    generator: nn.Module,
    critic: nn.Module,
    steps: int,
    cut: bool = False,
    cleared: bool = True,
) -> Trained:
    """The common game. `cut`: the generator's points are detached for both; `cleared`: the judge's
    gradients are.
    """
    of_generator = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.9))
    of_critic = torch.optim.Adam(critic.parameters(), lr=8e-3, betas=(0.5, 0.9))
    networks = {"generator": (generator, of_generator), "critic": (critic, of_critic)}
    yes, no = torch.ones(64, 1), torch.zeros(64, 1)
    with watch(networks) as watching:
        for _ in range(steps):
            points = generator(torch.randn(64, 4))
            seen = F.binary_cross_entropy_with_logits(critic(real(64)), yes)
            drawn = F.binary_cross_entropy_with_logits(critic(points.detach()), no)
            if cleared:
                of_critic.zero_grad()
            (seen + drawn).backward()
            of_critic.step()
            answer = critic(points.detach() if cut else points)
            wish = F.binary_cross_entropy_with_logits(answer, yes)
            of_generator.zero_grad()
            wish.backward()
            of_generator.step()
            parts = {"generator": wish, "critic": seen + drawn}
            watching.step(wish + seen + drawn, parts=parts)
    return Trained(watching, likeness(generator))


def generator_cut_off(cured: bool, watch: Watch) -> Trained:
    return play(watch, drawer(), judge(), 600, cut=not cured)


def generator_cannot_get_there(cured: bool, watch: Watch) -> Trained:
    """The real points are 2 from 0, the generator's outputs end at 1."""
    return play(watch, drawer(bounded=not cured), judge(), 600)


def judge_keeps_its_gradients(cured: bool, watch: Watch) -> Trained:
    """The judge learns from the generator's wish, and from all steps before, too."""
    return play(watch, drawer(), judge(), 600, cleared=cured)


def critic_the_wrong_way(cured: bool, watch: Watch) -> Trained:
    """A critic with small weights; what it is to raise and what to lower may be exchanged."""
    generator, critic = drawer(), judge()
    of_generator = torch.optim.RMSprop(generator.parameters(), lr=2e-3)
    of_critic = torch.optim.RMSprop(critic.parameters(), lr=5e-3)
    networks = {"generator": (generator, of_generator), "critic": (critic, of_critic)}
    loss: Any
    with watch(networks) as watching:
        for _ in range(200):
            for _ in range(2):
                points = generator(torch.randn(64, 4)).detach()
                gap = critic(real(64)).mean() - critic(points).mean()
                loss = -gap if cured else gap
                of_critic.zero_grad()
                loss.backward()
                of_critic.step()
                with torch.no_grad():
                    for weight in critic.parameters():
                        weight.clamp_(-0.2, 0.2)
            wish = -critic(generator(torch.randn(64, 4))).mean()
            of_generator.zero_grad()
            wish.backward()
            of_generator.step()
            watching.step(loss + wish, parts={"generator": wish, "critic": loss})
    return Trained(watching, likeness(generator))


PAIRS = [
    Pair(
        "generator whose points are detached for itself too",
        "generator whose points are detached for the judge",
        ("parameters_not_updated",),
        generator_cut_off,
        0.0,
        0.5,
    ),
    Pair(
        "generator that ends at 1 for points beyond",
        "generator without an end for points beyond",
        ("target_out_of_range", "output_loss_mismatch"),
        generator_cannot_get_there,
        0.0,
        0.5,
    ),
    Pair(
        "judge that is never cleared",
        "judge that is cleared before each step",
        ("gradient_not_cleared",),
        judge_keeps_its_gradients,
        0.0,
        0.5,
    ),
    Pair(
        "critic that praises what is drawn",
        "critic that praises what is real",
        ("loss_sign",),
        critic_the_wrong_way,
        -0.2,
        0.4,
    ),
]
