"""Weights and gains that another network makes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def waves(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pitch and height of a wave [count, 2], places [count, 24, 1] and the wave there."""
    of = torch.stack([1 + torch.rand(count), 0.5 + torch.rand(count)], 1)
    x = 4 * torch.rand(count, 24, 1) - 2
    return of, x, of[:, None, 1:] * torch.sin(of[:, None, :1] * x)


class HyperNetwork(nn.Module):
    """Makes all weights of a network 1-16-1 for each wave."""

    def __init__(self) -> None:
        super().__init__()
        self.body = dense(2, 48, 48, end=nn.ReLU())
        self.first, self.bias, self.second = (nn.Linear(48, 16) for _ in range(3))

    def forward(self, of: Tensor, x: Tensor) -> Tensor:
        code = self.body(of)
        w, b, v = (layer(code)[:, None] for layer in (self.first, self.bias, self.second))
        return (torch.tanh(x * w + b) * v).sum(-1, keepdim=True)


def hypernetwork() -> Trained:
    of, x, y = waves(900)
    model = HyperNetwork()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 40, 25):
            loss = F.mse_loss(model(of[chosen], x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watch.step(loss, target=y[chosen])
    with torch.no_grad():
        return Trained(watch, r2(model(of[800:], x[800:]), y[800:]))


class Modulated(nn.Module):
    """FiLM: a condition scales and shifts the features of a picture; it starts as no change."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.gains = nn.Embedding(2, 32)
        self.head = nn.Linear(16 * 16, 5)
        nn.init.zeros_(self.gains.weight)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        x = F.relu(self.convolution(batch["picture"]))
        scale, shift = self.gains(batch["question"])[..., None, None].chunk(2, 1)
        x = F.relu((1 + scale) * self.second(x) + shift)
        return self.head(x.flatten(1))


def conditioned() -> Trained:
    """Two questions on a digit: which of two halves of the classes it is in, and its rest by 5."""
    (x, y), (xv, yv) = data.digits()

    def asked(x: Tensor, y: Tensor, question: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        batch = {"picture": x.view(-1, 1, 8, 8), "question": question}
        return batch, torch.where(question == 0, y // 5, y % 5)

    model = Modulated()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 16):
            batch, target = asked(x[chosen], y[chosen], torch.randint(2, (len(chosen),)))
            descend(watch, optimizer, F.cross_entropy(model(batch), target), target)
    scores = []
    for question in range(2):
        batch, target = asked(xv, yv, torch.full_like(yv, question))
        with torch.no_grad():
            scores.append(float((model(batch).argmax(1) == target).double().mean()))
    return Trained(watch, sum(scores) / 2)


def shared_and_own() -> Trained:
    """A base network and for each of six tasks a low-rank change of its weights, called apart."""
    changes = torch.randn(6, 3, 1)
    x = torch.randn(1800, 3)
    task = torch.randint(6, (1800,))
    y = torch.sin(x.sum(1, keepdim=True)) + torch.einsum("nf,nfo->no", x, changes[task])

    class LowRank(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = dense(3, 32, 1)
            self.left = nn.Parameter(0.3 * torch.randn(6, 32, 2))
            self.right = nn.Parameter(torch.zeros(6, 2, 3))
            self.out = nn.Parameter(torch.zeros(6, 1, 32))

        def forward(self, x: Tensor, task: int) -> Tensor:
            weights = dict(self.base.named_parameters())
            weights["0.weight"] = weights["0.weight"] + self.left[task] @ self.right[task]
            weights["2.weight"] = weights["2.weight"] + self.out[task]
            return functional_call(self.base, weights, (x,))

    model = LowRank()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    with ss.watch(model, optimizer) as watch:
        for step in range(600):
            of = step % 6
            rows = (task[:1500] == of).nonzero()[:, 0]
            chosen = rows[torch.randint(len(rows), (32,))]
            loss = F.mse_loss(model(x[chosen], of), y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        answer = torch.cat([model(x[i : i + 1], int(task[i])) for i in range(1500, 1800)])
    return Trained(watch, r2(answer, y[1500:]))


def dynamic_filters() -> Trained:
    """Each picture is moved by a filter that a network makes from how it is to move."""
    x = torch.rand(900, 1, 10, 10)
    move = torch.randint(-2, 3, (900, 2))
    y = torch.stack([x[i].roll((int(a), int(b)), (1, 2)) for i, (a, b) in enumerate(move.tolist())])
    model = dense(10, 64, 25)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    words = torch.cat([F.one_hot(move[:, 0] + 2, 5), F.one_hot(move[:, 1] + 2, 5)], 1).float()

    def moved(x: Tensor, words: Tensor) -> Tensor:
        filters = model(words).softmax(1).view(-1, 1, 5, 5)
        rows = F.pad(x, (2, 2, 2, 2), mode="circular").transpose(0, 1)
        return F.conv2d(rows, filters, groups=len(x)).transpose(0, 1)

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 40, 15):
            loss = F.mse_loss(moved(x[chosen], words[chosen]), y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        return Trained(watch, r2(moved(x[800:], words[800:]), y[800:]))


CASES = [
    healthy("a network whose weights are made", hypernetwork),
    healthy("a question that modulates", conditioned),
    healthy("a base and low-rank changes", shared_and_own),
    healthy("filters made for each picture", dynamic_filters),
]
