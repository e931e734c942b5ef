"""Whether outputs see what comes later, of networks in which it is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.later_inputs import LaterInputs, later_inputs, target_sequences
from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws

WORDS = torch.randint(0, 12, (60, 11), generator=torch.Generator().manual_seed(0))
X, NEXT = WORDS[:, :-1], WORDS[:, 1:]


class Words(nn.Module):
    """A recurrent layer over words, in one direction or in both."""

    def __init__(self, both: bool, arrange: Any = lambda logits: logits) -> None:
        super().__init__()
        self.embed, self.arrange = nn.Embedding(12, 6), arrange
        self.gru = nn.GRU(6, 6, batch_first=True, bidirectional=both)
        self.out = nn.Linear(12 if both else 6, 12)

    def forward(self, words: Tensor) -> Any:
        return self.arrange(self.out(self.gru(self.embed(words))[0]))


def case(network: nn.Module, x: Any, y: Any, origin: str | None = None) -> Case:
    known = Case(Observation(network_facts(network)), network, train=None)
    known.hand_over("train", (x, y))
    if origin is not None:
        term = LossTerm("cross_entropy", target=origin)
        known.observation.looks.append(Look(0, 1.0, loss_terms=(term,)))
    return known


def answers(network: nn.Module, x: Any = X, y: Any = NEXT) -> LaterInputs | None:
    known = case(network, x, y)
    every = later_inputs(known)
    assert known.not_judged == []
    return every[0] if every else None


ARRANGED = {
    "positions": lambda logits: logits,
    "classes second": lambda logits: logits.transpose(1, 2),
    "rows": lambda logits: logits.flatten(0, 1),
}


@pytest.mark.parametrize("name", ARRANGED)
def test_what_comes_later_moves_answers_in_both_directions_only(name: str) -> None:
    both = answers(Words(True, ARRANGED[name]))
    one = answers(Words(False, ARRANGED[name]))
    assert both is not None
    assert one is not None
    assert (both.target, both.length, both.place) == ("next", 10, 4)
    assert both.after > 0.05
    assert one.after == 0
    assert min(one.own, one.before, both.own, both.before) > 0.05


def test_a_series_of_numbers_is_a_sequence_too() -> None:
    wave = torch.randn(40, 9, 1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(8, 8), nn.Unflatten(1, (8, 1)))
    given = answers(network, wave[:, :-1], wave[:, 1:])
    assert given is not None
    assert given.after > 0.05


def test_the_decoder_s_own_input_is_the_sequence() -> None:
    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = Words(False)

        def forward(self, source: Tensor, before: Tensor) -> Any:
            return self.words(before) + self.words(source).mean(1, keepdim=True)

    given = answers(Decoder(), (WORDS.flip(0)[:, :10], X))
    assert given is not None
    assert (given.input, given.after) == ("1", 0)


@pytest.mark.parametrize(
    ("x", "y", "origin", "relation"),
    [
        (X, NEXT, None, "next"),
        (X, torch.where(X > 3, NEXT, -100), None, "next"),
        (X, X, "input", "same"),
        (X, X, "shifted input", "next"),  # the network shifts them itself
        (X, X, None, None),
        (X, X, "data", None),
        (X, X % 3, None, None),
        (X, X.float(), None, None),
        (X, NEXT[:, :2], None, None),
        (torch.ones_like(X), torch.ones_like(X), None, None),
        ({"words": X, "labels": X}, X, "shifted input", "next"),
        ((X.flip(1), X), X, None, "same"),
        ((X, X), X, None, None),
        ((X.flip(1), X.float()), X.float(), None, None),  # of values, the input of an autoencoder
    ],
)
def test_the_sequence_that_targets_are_taken_from(
    x: Any, y: Any, origin: str | None, relation: str | None
) -> None:
    sources = target_sequences(case(Words(False), x, y, origin))
    assert [source[1] for source in sources] == ([] if relation is None else [relation])
