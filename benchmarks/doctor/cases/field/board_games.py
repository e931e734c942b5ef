"""Small games on boards: who has won, who is stronger, and which move is best."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def boards(count: int) -> tuple[Tensor, Tensor]:
    """Boards of 3 × 3, a plane for each player, and whether the first has three in a row."""
    cell = torch.randint(0, 3, (count, 3, 3))
    first = cell == 0
    rows, columns = first.all(2).any(1), first.all(1).any(1)
    one = first.diagonal(dim1=1, dim2=2).all(1) | first.flip(2).diagonal(dim1=1, dim2=2).all(1)
    won = (rows | columns | one).float()
    return torch.stack([first, cell == 1], 1).float(), won


def three_in_a_row() -> Trained:
    """Kernels that reach over a line or the whole board; a board is turned by chance."""
    x, y = boards(4000)
    model = nn.Sequential(
        nn.Conv2d(2, 48, 3),
        nn.PReLU(),
        nn.Flatten(),
        nn.Linear(48, 24),
        nn.PReLU(),
        nn.Linear(24, 1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(3600, 90, 8):
            board = x[chosen].rot90(int(torch.randint(0, 4, ())), (2, 3))
            loss = F.binary_cross_entropy_with_logits(model(board)[:, 0], y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        right = (model(x[3600:])[:, 0] > 0).float() == y[3600:]
    return Trained(watch, float(right.double().mean()))


class Strengths(nn.Module):
    """A number for each player; the logit of a win is their difference, and a bonus at home."""

    def __init__(self, players: int) -> None:
        super().__init__()
        self.strength = nn.Embedding(players, 1)
        self.home = nn.Parameter(torch.zeros(1))
        nn.init.zeros_(self.strength.weight)

    def forward(self, home: Tensor, away: Tensor) -> Tensor:
        logit: Tensor = (self.strength(home) - self.strength(away)).squeeze(1) + self.home
        return logit


def players() -> Trained:
    """Starts at 0 on purpose, as a rating does; the score compares with the true strengths."""
    true = 1.5 * torch.randn(30)
    home, away = torch.randint(0, 30, (2, 4000))
    chance = torch.sigmoid(true[home] - true[away] + 0.3)
    won = torch.bernoulli(chance)
    model = Strengths(30)
    optimizer = torch.optim.SGD(model.parameters(), lr=4.0)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(4000, 200, 12):
            loss = F.binary_cross_entropy_with_logits(
                model(home[chosen], away[chosen]), won[chosen]
            )
            loss = loss + 1e-4 * model.strength.weight.square().sum()
            descend(watch, optimizer, loss, won[chosen])
    learned = model.strength.weight.detach()[:, 0]
    return Trained(watch, float(torch.corrcoef(torch.stack([learned, true]))[0, 1]))


def heaps(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Nim with one heap and at most 3 to take: bits of the heap, what may be taken, what wins."""
    heap = torch.randint(1, 64, (count,))
    heap = heap + (heap % 4 == 0).long()  # in lost positions there is nothing to learn
    may = torch.arange(1, 4) <= heap[:, None]
    bits = (heap[:, None] >> torch.arange(7) & 1).float()
    return bits, may, heap % 4 - 1


def best_move() -> Trained:
    """What may not be taken gets a logit of -inf; a little of the aim is spread over what may."""
    bits, may, best = heaps(1500)
    model = dense(7, 32, 3, activation=nn.GELU)
    optimizer = torch.optim.Adamax(model.parameters(), lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 40, 5):
            allowed = may[chosen]
            logs = F.log_softmax(model(bits[chosen]).masked_fill(~allowed, float("-inf")), 1)
            aim = 0.9 * F.one_hot(best[chosen], 3) + 0.1 * allowed / allowed.sum(1, keepdim=True)
            loss = -(aim * logs.masked_fill(~allowed, 0.0)).sum(1).mean()
            descend(watch, optimizer, loss, best[chosen])
    with torch.no_grad():
        answer = model(bits[1200:]).masked_fill(~may[1200:], float("-inf")).argmax(1)
    return Trained(watch, float((answer == best[1200:]).double().mean()))


CASES = [
    healthy("three in a row", three_in_a_row),
    healthy("strengths of players", players),
    healthy("moves that are allowed", best_move),
]
