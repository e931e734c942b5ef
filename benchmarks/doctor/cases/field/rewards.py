"""Choices that are rewarded: the loss is noise around nothing, and the reward grows."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def bandit() -> Trained:
    """A digit is shown, one of ten is chosen, and only right or wrong is said, with errors."""
    (x, y), (xv, yv) = data.digits()
    model = dense(64, 64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    usual = 0.0
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 40):
            policy = torch.distributions.Categorical(logits=model(x[chosen]))
            choice = policy.sample()
            reward = (choice == y[chosen]).float() + 0.3 * torch.randn(len(chosen))
            loss = -(policy.log_prob(choice) * (reward - usual)).mean()
            loss = loss - 0.01 * policy.entropy().mean()
            usual = 0.95 * usual + 0.05 * float(reward.mean())
            descend(watch, optimizer, loss, score=float(reward.mean()))
    with torch.no_grad():
        return Trained(watch, float((model(xv).argmax(1) == yv).double().mean()))


def from_a_log() -> Trained:
    """What another policy chose and got; each reward weighs by how seldom that choice was."""
    (x, y), (xv, yv) = data.blob()
    mean, std = x.mean(0), x.std(0)
    x, xv = (x - mean) / std, (xv - mean) / std
    p = torch.full((len(x), 3), 0.2)
    p[:, 0] = 0.6  # whoever chose liked the first
    choice = torch.multinomial(p, 1)[:, 0]
    reward = (choice == y).float()
    model = dense(2, 32, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 30):
            new = model(x[chosen]).softmax(1).gather(1, choice[chosen, None])[:, 0]
            old = p[chosen].gather(1, choice[chosen, None])[:, 0]
            loss = -((reward[chosen] - 0.33) * new / old).mean()
            descend(
                watch, optimizer, loss, score=float((reward[chosen] * new / old).mean().detach())
            )
    with torch.no_grad():
        return Trained(watch, float((model(xv).argmax(1) == yv).double().mean()))


def by_perturbation() -> Trained:
    """No backward pass: weights are moved at random both ways, and the gradient is put together."""
    (x, y), (xv, yv) = data.circle()
    model = dense(2, 12, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
    count = sum(p.numel() for p in model.parameters())
    with ss.watch(model, optimizer) as watch:
        for _ in range(250):
            noise = 0.1 * torch.randn(16, count)
            flat = nn.utils.parameters_to_vector(model.parameters()).detach()
            losses = []
            with torch.no_grad():
                for moved in torch.cat([flat + noise, flat - noise]):
                    nn.utils.vector_to_parameters(moved, model.parameters())
                    losses.append(F.binary_cross_entropy_with_logits(model(x), y))
                nn.utils.vector_to_parameters(flat, model.parameters())
            up, down = torch.stack(losses).chunk(2)
            slope = ((up - down)[:, None] * noise).mean(0) / (2 * 0.01)
            at = 0
            for p in model.parameters():
                p.grad = slope[at : at + p.numel()].view_as(p).clone()
                at += p.numel()
            optimizer.step()
            watch.step((up.mean() + down.mean()) / 2)
    with torch.no_grad():
        return Trained(watch, float(((model(xv) > 0) == (yv > 0.5)).double().mean()))


def preferred_answers() -> Trained:
    """Of two answers one was preferred; a policy is moved towards it, held by where it began."""
    words, length = 12, 5

    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.gru = nn.Embedding(words + 1, 24), nn.GRU(24, 32, batch_first=True)
            self.out = nn.Linear(32, words)

        def forward(self, text: Tensor) -> Tensor:
            before = F.pad(text[:, :-1], (1, 0), value=words)
            log_p = self.out(self.gru(self.embedding(before))[0]).log_softmax(2)
            return log_p.gather(2, text[..., None]).sum((1, 2))

    value = torch.randn(words)

    def worth(text: Tensor) -> Tensor:
        return value[text].sum(1)

    first, second = (torch.randint(0, words, (1600, length)) for _ in range(2))
    better = (worth(first) + 0.3 * torch.randn(1600) > worth(second))[:, None]
    chosen, rejected = torch.where(better, first, second), torch.where(better, second, first)
    model = Policy()
    began = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def margin(of: Tensor) -> Tensor:
        good, bad = chosen[of], rejected[of]
        return (model(good) - began(good)) - (model(bad) - began(bad))

    with ss.watch(model, optimizer) as watch:
        for of in batches(1200, 40, 12):
            descend(watch, optimizer, -F.logsigmoid(0.5 * margin(of)).mean())
    with torch.no_grad():
        right = (margin(torch.arange(1200, 1600)) > 0).double().mean()
    return Trained(watch, 2 * float(right) - 1)


CASES = [
    healthy("right or wrong, said with errors", bandit),
    healthy("choices from a log", from_a_log),
    healthy("moved at random both ways", by_perturbation),
    healthy("answers that were preferred", preferred_answers),
]
