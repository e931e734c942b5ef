"""A network that is sure before it has learned, also where an embedding is its output layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws
WORDS, WIDTH = 120, 64


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


class Tied(nn.Module):
    """A GRU between an embedding and itself, as a layer or as a matrix product."""

    def __init__(self, std: float, layer: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        nn.init.normal_(self.words.weight, std=std)
        self.gru, self.norm = nn.GRU(WIDTH, WIDTH, batch_first=True), nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False) if layer else None
        if self.head is not None:
            self.head.weight = self.words.weight

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.norm(self.gru(self.words(tokens))[0])
        logits: Tensor = h @ self.words.weight.T if self.head is None else self.head(h)
        return logits


class Pixels(nn.Module):
    """A class for each pixel; the last weights are `scale` times what they should be."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU())
        self.out = nn.Conv2d(16, 4, 1)
        with torch.no_grad():
            self.out.weight.mul_(scale)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.body(x))
        return logits


def severities(model: nn.Module, x: Tensor, y: Tensor, axis: int) -> dict[str, str]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(4):
            for rows in torch.randperm(len(x)).split(32):
                loss = F.cross_entropy(model(x[rows]).movedim(axis, 1), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    return {f.condition: f.severity for f in watch.diagnose(train=(x, y)).findings}


@pytest.mark.parametrize("layer", [True, False])
@five_seeds
@pytest.mark.long
def test_tied_embeddings(layer: bool, seed: int) -> None:
    torch.manual_seed(seed)
    tokens = torch.randint(WORDS, (400, 13))
    for place in range(1, 13):
        tokens[:, place] = (7 * tokens[:, place - 1] + torch.randint(3, (400,))) % WORDS
    x, y = tokens[:, :-1], tokens[:, 1:]
    assert severities(Tied(1.0, layer), x, y, 2)["output_overconfident"] == "warning"
    assert "output_overconfident" not in severities(Tied(0.02, layer), x, y, 2)


@pytest.mark.parametrize(("scale", "severity"), [(1.0, None), (12.0, "error")])
@five_seeds
def test_numbers(scale: float, severity: str | None, seed: int) -> None:
    """Answers that start far beyond all targets, of weights twelve times as large."""
    torch.manual_seed(seed)
    x = torch.randn(300, 8)
    y = x[:, :1] * x[:, 1:2] + x[:, 2:3]
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
    model.append(nn.Linear(64, 1))
    with torch.no_grad():
        for layer in (model[0], model[2], model[4]):
            layer.weight.mul_(scale)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(6):
            for rows in torch.randperm(len(x)).split(32):
                loss = F.mse_loss(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    found = {f.condition: f.severity for f in watch.diagnose(train=(x, y)).findings}
    assert found.get("output_overconfident") == severity


@five_seeds
def test_pixels(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(160, 1, 12, 12)
    y = (x[:, 0] > -0.7).long() + (x[:, 0] > 0) + (x[:, 0] > 0.7)
    assert "output_overconfident" in severities(Pixels(60.0), x, y, 1)
    assert "output_overconfident" not in severities(Pixels(1.0), x, y, 1)


def first_loss_of(model: nn.Module, x: Tensor, loss_of: Any, lr: float = 0.01) -> list[str]:
    optimizer = torch.optim.SGD(model.parameters(), lr)
    with ss.watch(model, optimizer) as watch:
        for _ in range(4):
            loss, target = loss_of(model(x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=target)
    findings = watch.diagnose().findings
    return [f.condition for f in findings] + [s.condition for f in findings for s in f.symptoms]


@pytest.mark.parametrize(("gain", "accused"), [(3.0, True), (1.0, False)])
def test_layers_that_are_a_little_too_large_add_up(gain: float, accused: bool) -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Linear(16, 16), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(16, 4))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            with torch.no_grad():
                layer.weight *= gain
    x, y = torch.randn(64, 16), torch.randint(4, (64,))
    names = first_loss_of(model, x, lambda o: (F.cross_entropy(o, y), y), 1e-9)
    assert ("output_overconfident" in names) is accused


def test_weights_that_the_first_step_made_long_were_not_so_at_the_start() -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(1, 1), torch.rand(64, 1) + 1
    y = 5 * x
    names = first_loss_of(model, x, lambda o: (F.mse_loss(o, y), y), 0.6)
    assert "output_overconfident" not in names


class Taste(nn.Module):
    """What somebody thinks of something: the product of two vectors."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.people, self.things = nn.Embedding(40, 64), nn.Embedding(30, 64)
        for table in (self.people, self.things):
            nn.init.normal_(table.weight, 0.0, spread)

    def forward(self, pairs: Tensor) -> Tensor:
        return (self.people(pairs[:, 0]) * self.things(pairs[:, 1])).sum(1)


@pytest.mark.parametrize(("spread", "accused"), [(1.0, True), (0.1, False)])
def test_products_of_long_vectors(spread: float, accused: bool) -> None:
    torch.manual_seed(0)
    model = Taste(spread)
    pairs = torch.stack([torch.randint(40, (200,)), torch.randint(30, (200,))], 1)
    ratings = torch.randn(200)
    names = first_loss_of(model, pairs, lambda o: (F.mse_loss(o, ratings), ratings), 1e-9)
    assert ("output_overconfident" in names) is accused
