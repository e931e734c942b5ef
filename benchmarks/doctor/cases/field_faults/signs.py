"""What should rise falls: rewards, likeness, energies and overlaps with the wrong sign."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches
from benchmarks.doctor.cases.field_faults.drawn import clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch
from benchmarks.doctor.networks import dense


def update(
    watching: Any, optimizer: torch.optim.Optimizer, loss: Tensor, score: float | None = None
) -> None:
    """One step, and its score where there is one."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watching.step(loss, score=score)


def advantage_reversed(cured: bool, watch: Watch) -> Trained:
    """The advantage is the value less the reward, where it should be the reward less the value."""
    truth = torch.randn(6, 3)

    class ActorCritic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = dense(6, 32, end=nn.Tanh())
            self.actor, self.critic = nn.Linear(32, 3), nn.Linear(32, 1)

        def forward(self, x: Tensor) -> tuple[torch.distributions.Categorical, Tensor]:
            x = self.body(x)
            return torch.distributions.Categorical(logits=self.actor(x)), self.critic(x)[:, 0]

    model = ActorCritic()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for _ in range(300):
            x = torch.randn(64, 6)
            policy, value = model(x)
            action = policy.sample()
            reward = (x @ truth).gather(1, action[:, None])[:, 0]
            advantage = (reward - value if cured else value - reward).detach()
            loss = -(policy.log_prob(action) * advantage).mean()
            loss = loss + 0.5 * F.mse_loss(value, reward) - 0.01 * policy.entropy().mean()
            update(watching, optimizer, loss, float(reward.mean()))
    x = torch.randn(1000, 6)
    with torch.no_grad():
        best = model(x)[0].logits.argmax(1) == (x @ truth).argmax(1)
    return Trained(watching, float(best.double().mean()))


def anchor_far_from_its_like(cured: bool, watch: Watch) -> Trained:
    """`triplet_margin_loss(anchor, positive, negative)`, with the last two exchanged."""
    x, y = clouds(800, 6, 10, apart=1.0)
    model = dense(10, 32, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    rows = [(y[:600] == c).nonzero()[:, 0] for c in range(6)]
    with watch(model, optimizer) as watching:
        for _ in range(200):
            kind = torch.randint(6, (48,))
            other = (kind + torch.randint(1, 6, (48,))) % 6
            a, p, n = (
                torch.stack([rows[k][torch.randint(len(rows[k]), ())] for k in of.tolist()])
                for of in (kind, kind, other)
            )
            near, far = (p, n) if cured else (n, p)
            loss = F.triplet_margin_loss(model(x[a]), model(x[near]), model(x[far]), margin=1.0)
            with torch.no_grad():
                apart = (model(x[a]) - model(x[n])).norm(dim=1) - (model(x[a]) - model(x[p])).norm(
                    dim=1
                )
            update(watching, optimizer, loss, float((apart > 0).double().mean()))
    with torch.no_grad():
        codes = model(x)
    distance = torch.cdist(codes[600:], codes[600:])
    alike = y[600:, None] == y[600:]
    alike.fill_diagonal_(False)
    near, far = distance[alike].mean(), distance[y[600:, None] != y[600:]].mean()
    return Trained(watching, float((far - near) / (far + near)))


def overlap_made_small(cured: bool, watch: Watch) -> Trained:
    """Dice's overlap is the loss, where 1 less the overlap should be."""
    at = torch.randint(2, 8, (600, 2))
    grid = torch.stack(torch.meshgrid(torch.arange(10), torch.arange(10), indexing="ij"), -1)
    mask = ((grid - at[:, None, None]).abs().amax(-1) <= 2).float()[:, None]
    x = mask + 0.6 * torch.randn(600, 1, 10, 10)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1), nn.Sigmoid()
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def overlap(answer: Tensor, mask: Tensor) -> Tensor:
        both = (answer * mask).sum((1, 2, 3))
        return (2 * both + 1) / (answer.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)

    with watch(model, optimizer) as watching:
        for chosen in batches(500, 25, 8):
            dice = overlap(model(x[chosen]), mask[chosen]).mean()
            update(watching, optimizer, 1 - dice if cured else dice, float(dice.detach()))
    with torch.no_grad():
        return Trained(watching, float(overlap(model(x[500:]), mask[500:]).mean()))


def energy_of_the_real(cured: bool, watch: Watch) -> Trained:
    """Energies are to be low where data is; they are pushed up there."""
    mix = torch.randn(2, 5)
    x = torch.tanh(torch.randn(1000, 2) @ mix)
    model = dense(5, 48, 48, 1, activation=nn.SiLU)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 40, 10):
            real, drawn = model(x[chosen]), model(2 * torch.rand(len(chosen), 5) - 1)
            gap = real - drawn if cured else drawn - real
            loss = gap.mean() + 0.1 * (real.square() + drawn.square()).mean()
            with torch.no_grad():
                told_apart = float((drawn > real.T).double().mean())
            update(watching, optimizer, loss, told_apart)
    with torch.no_grad():
        real, drawn = model(x[800:]), model(2 * torch.rand(200, 5) - 1)
    return Trained(watching, float((drawn > real.T).double().mean()))


def margin_of_the_loser(cured: bool, watch: Watch) -> Trained:
    """`margin_ranking_loss` takes 1 where the first is to be larger; it was given -1."""
    tastes = torch.randn(8)
    model = dense(8, 24, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    side = 1.0 if cured else -1.0
    with watch(model, optimizer) as watching:
        for _ in range(300):
            x = torch.randn(64, 2, 8)
            x = x.gather(1, (x @ tastes).argsort(1, descending=True)[..., None].expand(-1, -1, 8))
            winner, loser = model(x[:, 0])[:, 0], model(x[:, 1])[:, 0]
            loss = F.margin_ranking_loss(winner, loser, torch.full((64,), side), margin=0.5)
            update(watching, optimizer, loss, float((winner > loser).double().mean()))
    x = torch.randn(1000, 8)
    with torch.no_grad():
        both = torch.stack([model(x)[:, 0], x @ tastes])
    return Trained(watching, float(torch.corrcoef(both)[0, 1]))


PAIRS = [
    Pair(
        "an advantage with the wrong sign",
        "an advantage",
        ("loss_sign",),
        advantage_reversed,
        0.25,
        0.7,
    ),
    Pair(
        "triplets with near and far exchanged",
        "triplets",
        ("loss_sign", "representation_collapsed"),
        anchor_far_from_its_like,
        0.1,
        0.25,
    ),
    Pair(
        "an overlap made small",
        "an overlap made large",
        ("loss_sign",),
        overlap_made_small,
        0.3,
        0.8,
    ),
    Pair(
        "energy pushed up where data is",
        "energy pushed down where data is",
        ("loss_sign",),
        energy_of_the_real,
        0.3,
        0.8,
    ),
    Pair(
        "the loser ahead by a margin",
        "the winner ahead by a margin",
        ("loss_sign",),
        margin_of_the_loser,
        0.0,
        0.8,
    ),
]
