"""Graphs: sums that grow, nodes that all look alike, edges and answers that do not belong."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, right

NODES, KINDS = 300, 3


def communities(inside: float = 0.12, outside: float = 0.01) -> tuple[Tensor, Tensor, Tensor]:
    """Faint features [300, 12], edges [300, 300] that are denser within a kind, kinds [300]."""
    y = torch.randint(KINDS, (NODES,))
    x = torch.randn(KINDS, 12)[y] * 0.35 + torch.randn(NODES, 12)
    chance = torch.where(y[:, None] == y[None], inside, outside)
    edges = (torch.rand(NODES, NODES) < chance).triu(1).float()
    return x, edges + edges.T, y


def averaged(edges: Tensor) -> Tensor:
    """Each node's mean over its neighbours and itself."""
    own = edges + torch.eye(len(edges))
    return own / own.sum(1, keepdim=True)


class Propagate(nn.Module):
    """Linear layers, each followed by a spread along the edges and `tanh` or ReLU."""

    def __init__(self, spread: Tensor, *widths: int, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.spread, self.activation = spread, activation or nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = self.spread @ layer(x)
            x = self.activation(x) if i + 1 < len(self.layers) else x
        return x


def learn(
    watch: Watch,
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    judged: Tensor,
    epochs: int = 100,
    optimizer: torch.optim.Optimizer | None = None,
) -> Trained:
    """All nodes at once; the first 150 have answers, by the others it is judged."""
    optimizer = optimizer or torch.optim.Adam(model.parameters(), 1e-2)
    with watch(model, optimizer) as watching:
        for _ in range(epochs):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x)[:150], y[:150])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[:150])
    with torch.no_grad():
        return Trained(watching, right(model(x)[150:], judged[150:]))


def sums_of_sums(cured: bool, watch: Watch) -> Trained:
    """Three layers that add up all neighbours in a dense graph, not their mean."""
    x, edges, y = communities(0.4, 0.06)
    spread = averaged(edges) if cured else edges + torch.eye(NODES)
    model = Propagate(spread, 12, 24, 24, KINDS, activation=nn.ELU())
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    return learn(watch, model, x, y, y, 100, optimizer)


def sixteen_layers(cured: bool, watch: Watch) -> Trained:
    """After sixteen means over neighbours every node looks like every other."""
    x, edges, y = communities(0.1, 0.03)
    depth = 2 if cured else 16
    model = Propagate(averaged(edges), 12, *[24] * (depth - 1), KINDS, activation=nn.Tanh())
    return learn(watch, model, x, y, y)


def answer_as_feature(cured: bool, watch: Watch) -> Trained:
    """The kind is a column of the nodes that are learned from, and unknown of the others."""
    x, edges, y = communities(0.1, 0.02)
    x = x + 1.5 * torch.randn_like(x)
    shown = F.one_hot(y, KINDS).float()
    shown[150:] = 0
    # what is read of the others' kinds is of use; the own one is not to be had later
    others = edges / edges.sum(1, keepdim=True).clamp(min=1)
    x = torch.cat([x, 3 * (others @ shown) if cured else shown], 1)
    return learn(watch, Propagate(torch.eye(NODES), 15, 24, KINDS), x, y, y, 80)


def clipped_kinds(cured: bool, watch: Watch) -> Trained:
    """Layers are built in a loop, each with its ReLU: the last one too, and it starts below 0."""
    x, edges, y = communities()

    class Ended(Propagate):
        def forward(self, x: Tensor) -> Tensor:
            logits = super().forward(x)
            return logits if cured else F.relu(logits)

    model = Ended(averaged(edges), 12, 24, KINDS)
    with torch.no_grad():
        model.layers[-1].bias.copy_(torch.tensor([-0.6, -0.6, 0.0]))
    return learn(watch, model, x, y, y, 80)


PAIRS = [
    Pair(
        "neighbours added up",
        "neighbours averaged",
        (
            "signal_explodes",
            "output_overconfident",
            "exploding_gradient",
            "learning_rate_too_high",
            "dead_units",
        ),
        sums_of_sums,
        0.7,
        0.8,
    ),
    Pair(
        "sixteen means over neighbours",
        "two means over neighbours",
        ("representation_collapsed", "signal_vanishes", "vanishing_gradient"),
        sixteen_layers,
        0.6,
        0.8,
    ),
    Pair(
        "the kind among a node's columns",
        "the kinds of a node's neighbours",
        ("target_in_input", "train_valid_mismatch", "overfitting"),
        answer_as_feature,
        0.57,
        0.65,
    ),
    Pair(
        "kinds behind a ReLU",
        "kinds without a ReLU",
        ("output_loss_mismatch", "dead_units"),
        clipped_kinds,
        0.75,
        0.8,
    ),
]
