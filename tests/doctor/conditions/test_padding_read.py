"""Padding that is read is named where it costs the answer; where it does not, it is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.padding_read import examine
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws

GENERATOR = torch.Generator().manual_seed(0)
LENGTHS = torch.randint(3, 9, (400, 1), generator=GENERATOR)
WORDS = torch.randint(1, 12, (400, 60), generator=GENERATOR) * (torch.arange(60) < LENGTHS)
FIRST = (WORDS[:, 0] > 6).long()


class Reader(nn.Module):
    def __init__(self, last: bool, pooled: bool = False) -> None:
        super().__init__()
        self.embed, self.last, self.pooled = nn.Embedding(12, 8, padding_idx=0), last, pooled
        self.gru, self.out = nn.GRU(8, 12, batch_first=True), nn.Linear(12, 2)

    def forward(self, words: Tensor) -> Any:
        hidden = self.gru(self.embed(words))[0]
        if self.pooled:
            return self.out(hidden.mean(1))
        at = (words != 0).sum(1) - 1
        return self.out(hidden[:, -1] if self.last else hidden[torch.arange(len(words)), at])


def trained(network: nn.Module, epochs: int = 10) -> Finding | None:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(epochs):
            for rows in torch.randperm(400).split(50):
                loss = F.cross_entropy(network(WORDS[rows]), FIRST[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=FIRST[rows])
    assert watch.failure is None
    case: Any = watch.diagnose(train=(WORDS, FIRST), loss_fn=F.cross_entropy).case
    return examine(case)


@pytest.mark.long
def test_the_padding_that_is_read_is_named_with_its_steps() -> None:
    finding = trained(Reader(True))
    assert finding is not None
    assert finding.severity == "error"
    assert finding.where == {"layers": ["gru"]}
    assert finding.explanation.startswith("The GRU gru reads 5")
    assert "lengths - 1" in finding.remedies[0].advice
    assert finding.evidence[0].observed > 0.3


@pytest.mark.long
def test_networks_that_stop_in_time_or_learn_well_are_not_accused() -> None:
    assert trained(Reader(False)) is None
    assert trained(Reader(False), epochs=1) is None  # it has not learned yet
    assert trained(Reader(True, pooled=True), epochs=25) is None


class Mean(nn.Module):
    """The mean of the words' vectors, over all steps or over those of the sequence."""

    def __init__(self, of_all: bool) -> None:
        super().__init__()
        self.embed, self.out, self.of_all = (
            nn.Embedding(12, 8, padding_idx=0),
            nn.Linear(8, 1),
            of_all,
        )

    def forward(self, words: Tensor) -> Any:
        vectors = self.embed(words)
        if self.of_all:
            return self.out(vectors.mean(1))
        return self.out(vectors.sum(1) / (words > 0).sum(1, keepdim=True))


@pytest.mark.parametrize("of_all", [True, False])
def test_a_mean_over_padding_is_named(of_all: bool) -> None:
    lengths = torch.randint(2, 60, (400, 1), generator=GENERATOR)
    words = torch.randint(1, 12, (400, 60), generator=GENERATOR) * (torch.arange(60) < lengths)
    worth = torch.randn(12, generator=GENERATOR).index_fill(0, torch.tensor([0]), 0.0)
    y = worth[words].sum(1, keepdim=True) / lengths
    y = (y - y.mean()) / y.std()
    torch.manual_seed(0)
    network = Mean(of_all)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(30):
            for rows in torch.randperm(400).split(50):
                loss = F.mse_loss(network(words[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    finding = examine(watch.diagnose(train=(words, y), loss_fn=F.mse_loss).case)
    assert (finding is not None) == of_all
