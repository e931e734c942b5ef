"""Answers to inputs in another order, of networks in which it is known whether they see it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.order import SAME, Order, order
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws

GENERATOR = torch.Generator().manual_seed(0)
WORDS = torch.randint(1, 9, (40, 8), generator=GENERATOR)
SERIES = torch.randn(40, 8, 4, generator=GENERATOR)
IMAGES = torch.randn(40, 1, 8, 8, generator=GENERATOR)


class Net(nn.Module):
    def __init__(self, function: Any, *layers: nn.Module) -> None:
        super().__init__()
        self.layers, self.function = nn.ModuleList(layers), function

    def forward(self, x: Tensor) -> Any:
        return self.function(*self.layers, x)


def answers(network: nn.Module, x: Tensor) -> Order | None:
    known = Case(Observation(network_facts(network)), network, train=(x, torch.zeros(40)))
    given = order(known)
    assert known.not_judged == []
    return given


def attention() -> nn.Module:
    return nn.TransformerEncoderLayer(4, 1, 8, batch_first=True)


def test_bags_of_words_do_not_see_the_order() -> None:
    for bag in (
        Net(lambda embed, x: embed(x).mean(1), nn.Embedding(9, 4)),
        Net(lambda embed, a, x: a(embed(x)).mean(1), nn.Embedding(9, 4), attention()),
        nn.EmbeddingBag(9, 4),
    ):
        given = answers(bag, WORDS)
        assert given is not None
        assert max(given.moved, given.redrawn) <= SAME
        assert (given.steps, given.patch, given.each) == (8, 0, False)


def test_recurrent_layers_and_positions_see_it() -> None:
    last = Net(lambda gru, x: gru(x)[0][:, -1], nn.GRU(4, 4, batch_first=True))
    placed = Net(lambda a, x: a(x + torch.arange(8.0)[:, None] / 4).mean(1), attention())
    for network in (last, placed, nn.Sequential(nn.Flatten(), nn.Linear(32, 2))):
        given = answers(network, SERIES)
        assert given is not None
        assert given.moved > 0.01


def test_a_position_that_is_not_learned_yet_is_there_with_new_weights() -> None:
    add = Net(lambda p, a, x: a(x + p(torch.arange(8))).mean(1), nn.Embedding(8, 4), attention())
    nn.init.zeros_(add.layers[0].weight)
    given = answers(add, SERIES)
    assert given is not None
    assert given.moved <= SAME
    assert given.redrawn > 0.01


def test_an_answer_for_each_step_goes_with_its_step() -> None:
    tagger = answers(attention(), SERIES)
    assert tagger is not None
    assert tagger.each
    assert max(tagger.moved, tagger.redrawn) <= SAME
    assert tagger.others > 0.01
    alone = answers(nn.Linear(4, 2), SERIES)
    assert alone is not None
    assert (alone.each, alone.others) == (True, 0)
    recurrent = answers(Net(lambda gru, x: gru(x)[0], nn.GRU(4, 4, batch_first=True)), SERIES)
    assert recurrent is not None
    assert recurrent.moved > 0.01


@pytest.mark.parametrize("side", [2, 4])
def test_patches_of_images_are_found_by_their_size(side: int) -> None:
    cut = nn.Conv2d(1, 4, side, side)
    patches = Net(lambda c, a, x: a(c(x).flatten(2).transpose(1, 2)).mean(1), cut, attention())
    given = answers(patches, IMAGES)
    assert given is not None
    assert (given.patch, given.steps) == (side, (8 // side) ** 2)
    assert max(given.moved, given.redrawn) <= SAME
    convolution = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    seen = answers(convolution, IMAGES)
    assert seen is not None
    assert seen.moved > 0.01


def test_of_padded_words_only_the_words_are_moved() -> None:
    lengths = torch.randint(4, 8, (40, 1), generator=GENERATOR)
    padded = torch.cat([WORDS, WORDS], 1) * (torch.arange(16) < lengths)

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(9, 4)

        def forward(self, x: Tensor) -> Any:
            length = (x != 0).int().argmin(1)  # up to the first padding
            steps = torch.arange(16) < length[:, None]
            return (self.embed(x) * steps[:, :, None]).sum(1)

    given = answers(Mean(), padded)
    assert given is not None
    assert given.steps == int(lengths.min())
    assert given.moved <= SAME


def test_tables_have_no_order() -> None:
    assert answers(nn.Linear(8, 2), WORDS.float()) is None
