"""Nodes that hear from their neighbours, and whole graphs."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, known, right


def communities(count: int, kinds: int, noise: float) -> tuple[Tensor, Tensor, Tensor]:
    """A graph [count, count] in which three of four edges are within a kind, noisy words about
    each node [count, 12], and the kinds.
    """
    y = torch.randint(kinds, (count,))
    same = y[:, None] == y
    edges = torch.rand(count, count) < torch.where(same, 0.75 * kinds, 0.25) * 8 / count
    graph = torch.triu(edges, 1).float()
    x = torch.randn(kinds, 12)[y] + noise * torch.randn(count, 12)
    return graph + graph.T, x, y


def averaged(graph: Tensor) -> Tensor:
    """Each row sums to 1, the node itself among its neighbours."""
    graph = graph + torch.eye(len(graph))
    return graph / graph.sum(1, keepdim=True)


class Convolutions(nn.Module):
    """Layers after each of which a node hears its neighbours. `listed`: a plain list of them, and a
    head that follows.
    """

    def __init__(self, graph: Tensor, widths: list[int], listed: bool = False) -> None:
        super().__init__()
        self.graph: Tensor
        self.register_buffer("graph", graph)
        layers = [nn.Linear(i, o) for i, o in pairwise(widths)]
        self.layers = layers if listed else nn.ModuleList(layers)
        if listed:
            self.head = nn.Linear(widths[-1], widths[-1])

    def forward(self, x: Tensor) -> Tensor:
        for place, layer in enumerate(self.layers, 1):
            x = self.graph @ layer(x)
            x = x.relu() if place < len(self.layers) else x
        return self.head(x.relu()) if hasattr(self, "head") else x


def on_known_nodes(
    watch: Watch,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    steps: int,
) -> Trained:
    """Whole graphs at a time, the loss on the first half of the nodes, the score on the others."""
    count = len(x) // 2
    with watch(model, optimizer) as watching:
        for _ in range(steps):
            descend(watching, optimizer, F.cross_entropy(model(x)[:count], y[:count]), y[:count])
    output = model.eval()(x)
    return Trained(watching, right(output[count:], y[count:]))


def own_kind_comes_round(cured: bool, watch: Watch) -> Trained:
    """Nodes are tied to nodes of the next kind. The known kinds of the neighbours are columns of
    the input, with or without the node's own.
    """
    y = torch.randint(5, (500,))
    following = (y[:, None] + 1) % 5 == y
    edges = (torch.rand(500, 500) < torch.where(following, 0.06, 0.003)).float()
    edges.fill_diagonal_(0.0 if cured else 12.0)
    edges = edges / edges.sum(1, keepdim=True).clamp(min=1)
    labels = F.one_hot(y, 5).float() * (torch.arange(500) < 250).float()[:, None]
    x = torch.cat([torch.randn(5, 6)[y] + 3 * torch.randn(500, 6), 3 * edges @ labels], 1)
    model = nn.Sequential(nn.Linear(11, 32), nn.ReLU(), nn.Linear(32, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return on_known_nodes(watch, model, optimizer, x, y, 80)


def all_nodes_alike(cured: bool, watch: Watch) -> Trained:
    """Sixteen rounds of averages, or two."""
    graph, x, y = communities(300, 4, 1.5)
    between = [32] * (1 if cured else 15)
    model = Convolutions(averaged(graph), [12, *between, 4])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return on_known_nodes(watch, model, optimizer, x, y, 100)


def layers_in_a_list(cured: bool, watch: Watch) -> Trained:
    """The convolutions are in a plain list; only the head behind them is registered."""
    graph, x, y = communities(400, 6, 3.0)
    widths = [12, 4, 4, 6]
    model = Convolutions(averaged(graph), widths, listed=True)
    if cured:
        model.layers = nn.ModuleList(model.layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    return on_known_nodes(watch, model, optimizer, x, y, 200)


def sums_over_many(cured: bool, watch: Watch) -> Trained:
    """Neighbours are added up over four layers, or averaged."""
    graph, x, y = communities(300, 4, 3.0)
    model = Convolutions(averaged(graph) if cured else graph + torch.eye(300), [12, 32, 32, 32, 4])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return on_known_nodes(watch, model, optimizer, x, y, 120)


class Molecules(nn.Module):
    """The kind of each graph [B, N, N + 6] of its edges and its nodes' columns. `mixed`: the mean
    is taken over all nodes of the batch.
    """

    def __init__(self, mixed: bool) -> None:
        super().__init__()
        self.mixed = mixed
        self.one, self.two = nn.Linear(6, 32), nn.Linear(32, 32)
        self.head = nn.Linear(32, 3)

    def forward(self, graphs: Tensor) -> Tensor:
        edges, x = graphs[:, :, :-6], graphs[:, :, -6:]
        x = F.relu(self.one(edges @ x))
        x = F.relu(self.two(edges @ x))
        pooled = x.mean(1)
        if self.mixed:
            pooled = x.mean((0, 1)).expand(len(x), -1)
        kinds: Tensor = self.head(pooled)
        return kinds


def one_mean_of_all_graphs(cured: bool, watch: Watch) -> Trained:
    y = torch.randint(3, (700,))
    x = 0.7 * torch.randn(3, 6)[y][:, None] + torch.randn(700, 10, 6)
    edges = (torch.rand(700, 10, 10) < 0.3).float()
    edges = averaged_all(torch.maximum(edges, edges.transpose(1, 2)))
    graphs = torch.cat([edges, x], 2)
    model = Molecules(not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(500, 25, 10):
            loss = F.cross_entropy(model(graphs[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    output = torch.cat([model(part) for part in graphs[500:].split(25)])
    return Trained(watching, right(output, y[500:]), known(graphs, y, 500, F.cross_entropy))


def averaged_all(graphs: Tensor) -> Tensor:
    graphs = graphs + torch.eye(graphs.shape[1])
    return graphs / graphs.sum(2, keepdim=True)


PAIRS = [
    Pair(
        "nodes that hear their own kind",
        "nodes that hear their neighbours' kinds",
        ("target_in_input",),
        own_kind_comes_round,
        0.6,
        0.75,
    ),
    Pair(
        "sixteen rounds of hearing the neighbours",
        "two rounds of hearing the neighbours",
        ("representation_collapsed", "signal_vanishes"),
        all_nodes_alike,
        0.6,
        0.8,
    ),
    Pair(
        "graph convolutions in a plain list",
        "graph convolutions in a module list",
        ("parameters_not_updated",),
        layers_in_a_list,
        0.6,
        0.75,
    ),
    Pair(
        "neighbours added up over four layers",
        "neighbours averaged over four layers",
        ("signal_explodes", "output_overconfident"),
        sums_over_many,
        0.6,
        0.8,
    ),
    Pair(
        "one mean of all nodes of the batch",
        "a mean of each graph's nodes",
        ("samples_mixed",),
        one_mean_of_all_graphs,
        0.6,
        0.75,
    ),
]
