"""Values that are no numbers: roots and logarithms at zero, nothing divided by nothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, bent
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def logarithm_by_hand(cured: bool, watch: Watch) -> Trained:
    """Cross-entropy from probabilities that reach 0 and 1."""
    x = torch.randn(1500, 6) * torch.tensor([1, 1, 1, 20.0, 1, 1])
    y = (x[:, :1] + x[:, 1:2] + 0.3 * x[:, 3:4] > 0).float()

    def loss_fn(output: Tensor, y: Tensor) -> Tensor:
        if cured:
            return F.binary_cross_entropy_with_logits(output, y)
        p = torch.sigmoid(output)
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()

    model = dense(6, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    watching = fit(watch, model, optimizer, loss_fn, x[:1200], y[:1200], 20)
    output = model(x[1200:])
    score = float(((output > 0) == (y[1200:] == 1)).double().mean())
    if not bool(output.isfinite().all()):
        score = -1.0
    return Trained(watching, score, known(x, y, 1200, loss_fn))


def distance_of_twins(cured: bool, watch: Watch) -> Trained:
    """Pairs of things and how far apart they are; some pairs are a thing and itself."""
    x = torch.randn(1400, 5)
    other = torch.randn(1400, 5)
    same = torch.rand(1400) < 0.02
    other[same] = x[same]
    truth = torch.randn(5, 2)
    y = ((x - other) @ truth).norm(dim=1)
    model = dense(5, 32, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def distance(rows: Tensor) -> Tensor:
        square = (model(x[rows]) - model(other[rows])).square().sum(1)
        return (square + 1e-8).sqrt() if cured else square.sqrt()

    with watch(model, optimizer) as watching:
        for chosen in batches(1200, 40, 12):
            descend(watching, optimizer, F.mse_loss(distance(chosen), y[chosen]), y[chosen])
    with torch.no_grad():
        answer = distance(torch.arange(1200, 1400))
    return Trained(watching, explained(answer, y[1200:]))


def empty_pictures(cured: bool, watch: Watch) -> Trained:
    """Each picture is divided by its own spread; a few are black all over."""
    x, y = bars(1000)
    x[torch.randperm(800)[:4]] = 0.0
    spread = x.std((1, 2, 3), keepdim=True)
    x = (x - x.mean((1, 2, 3), keepdim=True)) / (spread.clamp_min(1e-3) if cured else spread)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), dense(8 * 64, 32, 4)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:800], y[:800], 5)
    return Trained(watching, right(model(x[800:]), y[800:]), known(x, y, 800, F.cross_entropy))


def mean_of_no_neighbours(cured: bool, watch: Watch) -> Trained:
    """Each node takes the mean of its neighbours; some have none."""
    nodes = 300
    y = torch.randint(3, (nodes,))
    links = torch.rand(nodes, nodes) < torch.where(y[:, None] == y, 0.06, 0.01)
    links = (links | links.T).float()
    lonely = torch.randperm(nodes)[:5]
    links[lonely], links[:, lonely] = 0.0, 0.0
    x = F.one_hot(y, 3) + 1.2 * torch.randn(nodes, 3)
    first, second = nn.Linear(6, 24), nn.Linear(48, 3)
    model = nn.ModuleList([first, second])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    count = links.sum(1, keepdim=True)

    def answer() -> Tensor:
        around = links @ x / (count.clamp_min(1) if cured else count)
        z = F.relu(first(torch.cat([x, around], 1)))
        around = links @ z / (count.clamp_min(1) if cured else count)
        return second(torch.cat([z, around], 1))

    learned = torch.randperm(nodes)[:200]
    with watch(model, optimizer) as watching:
        for _ in range(80):
            descend(watching, optimizer, F.cross_entropy(answer()[learned], y[learned]), y[learned])
    rest = torch.ones(nodes, dtype=torch.bool)
    rest[learned] = False
    return Trained(watching, right(answer()[rest], y[rest]))


def both_sides_of_where(cured: bool, watch: Watch) -> Trained:
    """torch.where(z > 0, z.log(), 0) is finite, its gradient at 0 is not."""
    counts = torch.poisson(torch.full((1400, 6), 3.0))
    logs = torch.where(counts > 0, counts, torch.ones_like(counts)).log()
    y = logs[:, :1] - logs[:, 1:2] + 0.5 * logs[:, 2:3] * logs[:, 3:4] - 0.5

    class Logs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.units = nn.Parameter(torch.ones(6))
            self.net = dense(6, 48, 1)

        def forward(self, counts: Tensor) -> Tensor:
            z = counts * F.softplus(self.units)
            safe = torch.where(z > 0, z, torch.ones_like(z)) if cured else z
            return self.net(torch.where(z > 0, safe.log(), 0.0))

    model = Logs()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, counts[:1200], y[:1200], 15)
    score = explained(model(counts[1200:]), y[1200:])
    return Trained(watching, score, known(counts, y, 1200, F.mse_loss))


def gaps_in_the_table(cured: bool, watch: Watch) -> Trained:
    """A few cells are empty, NaN after reading; they were to be filled with the column's mean."""
    x, y = bent(1400)
    gaps = torch.rand(1400, 6) < 0.003
    gaps[1200:] = False
    x[gaps] = 0.0 if cured else torch.nan
    model = dense(6, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1200], y[:1200], 20)
    return Trained(watching, explained(model(x[1200:]), y[1200:]), known(x, y, 1200, F.mse_loss))


PAIRS = [
    Pair(
        "cross-entropy by hand from probabilities",
        "cross-entropy from logits",
        ("not_finite",),
        logarithm_by_hand,
        0.0,
        0.85,
    ),
    Pair(
        "the distance of a thing to itself",
        "a distance that never is zero",
        ("not_finite",),
        distance_of_twins,
        0.0,
        0.7,
    ),
    Pair(
        "empty pictures divided by their spread",
        "empty pictures divided by a small number",
        ("inputs_not_finite", "not_finite"),
        empty_pictures,
        0.3,
        0.85,
    ),
    Pair(
        "the mean of no neighbours",
        "no neighbours, no mean",
        ("not_finite",),
        mean_of_no_neighbours,
        0.0,
        0.7,
    ),
    Pair(
        "a logarithm behind torch.where",
        "a logarithm of what is above zero",
        ("not_finite",),
        both_sides_of_where,
        0.1,
        0.8,
    ),
    Pair(
        "gaps of a table read as NaN",
        "gaps of a table filled",
        ("inputs_not_finite", "not_finite"),
        gaps_in_the_table,
        0.0,
        0.7,
    ),
]
