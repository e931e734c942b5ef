"""Graphs: rows that are no samples of their own, and a loss on some of them only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, descend, healthy

KINDS = 3


def communities(count: int = 240) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy features [N, 8], a normalised adjacency [N, N], and the community of each node."""
    y = torch.arange(count) % KINDS
    x = F.one_hot(y, 8).float() + 1.2 * torch.randn(count, 8)
    chance = torch.where(y[:, None] == y, 0.06, 0.008)
    edges = (torch.rand(count, count) < chance).float().triu(1)
    edges = edges + edges.T + torch.eye(count)
    scale = edges.sum(1).rsqrt()
    return x, scale[:, None] * edges * scale, y


class GraphNetwork(nn.Module):
    """Two graph convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 24), nn.Linear(24, KINDS)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        h = F.dropout(F.relu(edges @ self.first(x)), 0.4, self.training)
        return edges @ self.second(h)


def nodes(share: float, masked: bool) -> Trained:
    """All nodes in each step, the loss on those whose community is known."""
    x, edges, y = communities()
    known = torch.rand(len(y)) < share
    model = GraphNetwork()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=5e-4)
    with ss.watch(model, optimizer) as watch:
        for _ in range(150):
            model.train()
            output = model(x, edges)
            if masked:
                loss = F.cross_entropy(output[known], y[known])
                target = y[known]
            else:
                target = torch.where(known, y, -100)
                loss = F.cross_entropy(output, target)
            descend(watch, optimizer, loss, target)
    with torch.no_grad():
        right = model.eval()(x, edges).argmax(1) == y
    return Trained(watch, float(right[~known].double().mean()))


class Messages(nn.Module):
    """Messages along the edges of many small graphs at once, and their sum for each graph."""

    def __init__(self) -> None:
        super().__init__()
        self.node = nn.Linear(1, 24)
        self.message = nn.Linear(48, 24)
        self.out = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, x: Tensor, start: Tensor, end: Tensor, graph: Tensor, count: int) -> Tensor:
        h = torch.relu(self.node(x))
        for _ in range(2):
            sent = torch.relu(self.message(torch.cat([h[start], h[end]], 1)))
            h = h + torch.zeros_like(h).index_add_(0, end, sent)
        pooled = torch.zeros(count, 24).index_add_(0, graph, h)
        answer: Tensor = self.out(pooled).squeeze(1)
        return answer


def molecules() -> Trained:
    """A number for each graph: how different its neighbours are."""
    model = Messages()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def draw(count: int) -> tuple[tuple[Tensor, ...], Tensor]:
        sizes = torch.randint(4, 8, (count,))
        graph = torch.repeat_interleave(torch.arange(count), sizes)
        x = torch.randn(len(graph), 1)
        first = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)[:-1]])
        place = torch.arange(len(graph)) - first[graph]
        following = first[graph] + (place + 1) % sizes[graph]  # each graph is a ring
        here = torch.arange(len(graph))
        start, end = torch.cat([here, following]), torch.cat([following, here])
        apart = (x[here] - x[following]).abs().squeeze(1)
        y = torch.zeros(count).index_add_(0, graph, apart)
        return (x, start, end, graph), (y - 6) / 2

    with ss.watch(model, optimizer) as watch:
        for _ in range(350):
            inputs, y = draw(32)
            descend(watch, optimizer, F.mse_loss(model(*inputs, 32), y), y)
    inputs, y = draw(400)
    with torch.no_grad():
        answer = model(*inputs, 400)
    return Trained(watch, 1 - float((answer - y).square().mean() / y.var()))


CASES = [
    healthy("graph convolution, a mask of nodes", lambda: nodes(0.4, True)),
    healthy("graph convolution, nodes ignored", lambda: nodes(0.4, False)),
    healthy("messages in small graphs", molecules),
]
