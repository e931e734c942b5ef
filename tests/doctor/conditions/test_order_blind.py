"""Attention without positions is named where it answers poorly, and not where order is nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.order_blind import examine
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws

GENERATOR = torch.Generator().manual_seed(0)
WORDS = torch.randint(12, (600, 10), generator=GENERATOR)
SERIES = torch.randn(600, 8, 4, generator=GENERATOR)


class Pooled(nn.Module):
    def __init__(self, first: nn.Module, positions: int = 0) -> None:
        super().__init__()
        self.first, self.positions = first, nn.Embedding(positions, 16) if positions else None
        self.attention = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)
        self.out = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Any:
        hidden = self.first(x)
        if self.positions is not None:
            hidden = hidden + self.positions(torch.arange(x.shape[1]))
        return self.out(self.attention(hidden).mean(1))


def trained(
    network: nn.Module, x: Tensor, y: Tensor, epochs: int = 20, lr: float = 3e-3
) -> Finding | None:
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    with ss.watch(network, optimizer) as watch:
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(60):
                loss = F.cross_entropy(network(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    assert watch.failure is None
    case: Any = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).case
    return examine(case)


def test_words_without_positions_are_a_set() -> None:
    finding = trained(Pooled(nn.Embedding(12, 16)), WORDS, (WORDS[:, 0] > 5).long(), 8)
    assert finding is not None
    assert finding.severity == "warning"
    assert "In another order of its 10 steps an input gets the same answer" in finding.explanation
    assert "self.position" in finding.remedies[0].advice
    right = Pooled(nn.Embedding(12, 16), positions=10)
    assert trained(right, WORDS, (WORDS[:, 0] > 5).long(), 8) is None


@pytest.mark.long
def test_weights_that_are_as_they_were_drawn_have_seen_no_order_yet() -> None:
    assert trained(Pooled(nn.Linear(4, 16)), SERIES, (SERIES[:, 0, 0] > 0).long(), lr=1e-6) is None


@pytest.mark.long
def test_a_simple_model_that_sees_the_order_and_does_better_says_so() -> None:
    finding = trained(Pooled(nn.Linear(4, 16)), SERIES, (SERIES[:, 0, 0] > 0).long())
    assert finding is not None
    assert "a simple model that sees the order scores" in finding.explanation


@pytest.mark.long
def test_bags_that_learn_or_have_nothing_to_learn_are_not_accused() -> None:
    assert trained(Pooled(nn.Embedding(12, 16)), WORDS, (WORDS.sum(1) > 55).long()) is None
    noise = torch.randint(2, (600,), generator=GENERATOR)
    assert trained(Pooled(nn.Linear(4, 16)), SERIES, noise, 4) is None
    assert trained(Pooled(nn.Embedding(12, 16)), WORDS, (WORDS[:, 0] > 5).long(), 1) is None


class Pair(nn.Module):
    """A number from two words, of their sum or of one beside the other."""

    def __init__(self, beside: bool) -> None:
        super().__init__()
        self.words, self.beside = nn.Embedding(12, 16), beside
        self.layers = nn.Sequential(nn.Linear(32 if beside else 16, 48), nn.ReLU())
        self.number = nn.Linear(48, 1)

    def forward(self, pair: Tensor) -> Tensor:
        h = self.words(pair)
        number: Tensor = self.number(self.layers(h.flatten(1) if self.beside else h.sum(1)))
        return number


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("difference", [False, True])
@pytest.mark.sampled(1)
def test_a_sum_of_two_words_where_their_order_matters(beside: bool, difference: bool) -> None:
    torch.manual_seed(0)
    x = torch.randint(12, (800, 2))
    y = (x[:, :1] + (-1 if difference else 1) * x[:, 1:]).float() / 4
    model = Pair(beside)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(12):
            for rows in torch.randperm(800).split(32):
                loss = nn.functional.mse_loss(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    said = [f.condition for f in watch.diagnose(train=(x, y)).findings]
    assert ("order_blind" in said) == (difference and not beside)
