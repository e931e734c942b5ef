"""Answers with and without padding, of networks in which it is known whether they read it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.padding import Padding, padding
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws

LENGTHS = torch.randint(3, 8, (40,), generator=torch.Generator().manual_seed(0))
WORDS = torch.randint(1, 20, (40, 30), generator=torch.Generator().manual_seed(1))
WORDS *= torch.arange(30) < LENGTHS[:, None]


class Reader(nn.Module):
    """The last step of a GRU, or that of each sequence."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.embed, self.last = nn.Embedding(20, 6), last
        self.gru, self.out = nn.GRU(6, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, words: Tensor, lengths: Tensor | None = None) -> Any:
        hidden = self.gru(self.embed(words))[0]
        at = (words != 0).sum(1) - 1 if lengths is None else lengths - 1
        return self.out(hidden[:, -1] if self.last else hidden[torch.arange(len(words)), at])


def answers(network: nn.Module, x: Any = WORDS) -> Padding | None:
    known = Case(Observation(network_facts(network)), network)
    known.hand_over("train", (x, torch.zeros(40)))
    given = padding(known)
    assert known.not_judged == []
    return given


@pytest.mark.parametrize("named", [False, True])
def test_reading_on_to_the_end_is_told_from_reading_to_the_last_word(named: bool) -> None:
    x: Any = {"words": WORDS, "lengths": LENGTHS} if named else WORDS
    reads, stops = answers(Reader(True), x), answers(Reader(False), x)
    assert reads is not None
    assert stops is not None
    assert (reads.length, reads.padding) == (stops.length, stops.padding)
    assert 3 <= reads.length <= 7
    assert reads.length + reads.padding == 30
    assert reads.moved > 0.3
    assert reads.spread < 0.3
    assert stops.moved < 1e-5
    assert stops.spread == pytest.approx(1, abs=1e-5)


def test_series_are_padded_with_zeros() -> None:
    series = torch.randn(40, 30, 3) * (torch.arange(30) < LENGTHS[:, None])[:, :, None]

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean(1)

    class Sum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum(1)

    mean, total = answers(Mean(), series), answers(Sum(), series)
    assert mean is not None
    assert mean.moved > 0.5
    assert mean.spread < 0.5
    assert total is not None
    assert total.moved < 1e-6


def test_what_has_no_padding_or_one_length_is_not_asked() -> None:
    full = torch.randint(0, 20, (40, 30))
    assert answers(Reader(True), full) is None
    assert answers(Reader(True), full % 2) is None  # zeros everywhere are no padding
    assert answers(nn.Sequential(nn.Embedding(20, 2), nn.Flatten(), nn.Linear(60, 2)), WORDS) is (
        None
    )
    assert answers(nn.Embedding(20, 2), WORDS) is None  # an answer for each step
    assert answers(nn.Linear(30, 2), WORDS.float()) is None  # a table
