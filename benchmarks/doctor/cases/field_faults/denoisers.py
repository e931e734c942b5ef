"""Networks that take noise away step by step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained

STEPS = 100
KEPT = torch.cos(1.5 * (torch.arange(STEPS) + 1) / STEPS)  # what is left of the point at each step


def points(count: int) -> Tensor:
    """On two arcs in eight columns [count, 8], of spread 1 or so."""
    angle = 3.14 * torch.rand(count, 1)
    arcs = torch.cat([angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin()], 1)
    x = torch.cat([arcs, arcs.flip(1) * torch.randn(count, 1).sign()], 1)
    return 1.3 * x + 0.05 * torch.randn(count, 8)


def noised(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points at any step, the step [count], and the noise that was added."""
    step, noise = torch.randint(STEPS, (len(x),)), torch.randn_like(x)
    left = KEPT[step][:, None]
    return left * x + (1 - left.square()).sqrt() * noise, step, noise


class Denoiser(nn.Module):
    """The noise in the points [B, 8], from them, the step in [B, 1], and more columns perhaps."""

    def __init__(self, more: int = 0) -> None:
        super().__init__()
        layers = [nn.Linear(9 + more, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(64, 8))

    def forward(self, x: Tensor) -> Tensor:
        noise: Tensor = self.layers(x)
        return noise


def beside(points_then: Tensor, step: Tensor) -> Tensor:
    return torch.cat([points_then, step[:, None] / STEPS], 1)


@torch.no_grad()
def judged(model: nn.Module, x: Tensor) -> float:
    """How much of the noise in points that were not trained on is explained."""
    then, step, noise = noised(x)
    return explained(model(beside(then, step).to(next(model.parameters()).dtype)), noise)


def adam(model: nn.Module, lr: float = 3e-3) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=lr)


def other_noise(cured: bool, watch: Watch) -> Trained:
    """The noise to be guessed is drawn again, and is not what was added."""
    x = points(1200)
    model = Denoiser()
    optimizer = adam(model)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, 20):
            then, step, noise = noised(x[chosen])
            target = noise if cured else torch.randn_like(noise)
            descend(watching, optimizer, F.mse_loss(model(beside(then, step)), target), target)
    return Trained(watching, judged(model, x[1000:]))


def clean_point_beside(cured: bool, watch: Watch) -> Trained:
    """The condition is the clean point, or its guess from before, which is 0 at first; with the
    clean point the noise is a difference of two inputs.
    """
    x = points(1200)
    model = Denoiser(more=8)
    optimizer = adam(model)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 50, 30):
            then, step, noise = noised(x[chosen])
            guess = torch.zeros_like(then) if cured else x[chosen]
            output = model(torch.cat([beside(then, step), guess], 1))
            descend(watching, optimizer, F.mse_loss(output, noise), noise)
    then, step, noise = noised(x[1000:])
    output = model(torch.cat([beside(then, step), torch.zeros_like(then)], 1))
    return Trained(watching, explained(output, noise))


def weights_of_16_bits(cured: bool, watch: Watch) -> Trained:
    """Weights in bfloat16 keep three digits: small steps are lost on them."""
    x = points(1200)
    model = Denoiser()
    model = model if cured else model.to(torch.bfloat16)
    dtype = next(model.parameters()).dtype
    optimizer = adam(model, 1e-4)
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 20, 20):
            then, step, noise = noised(x[chosen])
            output = model(beside(then, step).to(dtype))
            loss = F.mse_loss(output, noise.to(dtype), reduction="none").sum(1).mean()
            descend(watching, optimizer, loss, noise)
    return Trained(watching, judged(model, x[1000:]))


def first_batch_for_ever(cured: bool, watch: Watch) -> Trained:
    """`next(iter(loader))` in each step: a loader that does not shuffle begins anew each time."""
    x = points(1200)
    then, step, noise = noised(x)
    inputs = beside(then, step)
    model = Denoiser()
    optimizer = adam(model)
    data = torch.utils.data.TensorDataset(inputs[:1000], noise[:1000])
    loader = torch.utils.data.DataLoader(data, batch_size=40)
    with watch(model, optimizer) as watching:
        for _ in range(16):
            for batch in loader:
                points_then, target = batch if cured else next(iter(loader))
                descend(watching, optimizer, F.mse_loss(model(points_then), target), target)
    halves = {"train": (inputs[:1000], noise[:1000]), "valid": (inputs[1000:], noise[1000:])}
    score = explained(model(inputs[1000:]), noise[1000:])
    return Trained(watching, score, {**halves, "loss_fn": F.mse_loss})


PAIRS = [
    Pair(
        "noise that is guessed and was not added",
        "noise that is guessed and was added",
        ("labels_unrelated",),
        other_noise,
        0.1,
        0.5,
    ),
    Pair(
        "noise guessed beside the clean point",
        "noise guessed without the clean point",
        ("target_in_input",),
        clean_point_beside,
        0.2,
        0.55,
    ),
    Pair(
        "noise guessed by weights of 16 bits",
        "noise guessed by weights of 32 bits",
        ("updates_rounded_away",),
        weights_of_16_bits,
        0.2,
        0.4,
    ),
    Pair(
        "the first batch of a loader in each step",
        "the next batch of a loader in each step",
        ("same_batch_again",),
        first_batch_for_ever,
        0.2,
        0.5,
    ),
]
