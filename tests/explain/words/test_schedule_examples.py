"""Examples of words about how a training is run are the run's own numbers."""

from __future__ import annotations

import pytest

import sevensteps as ss
from tests.explain.words.conftest import numbers, trained


def test_a_training_that_has_them() -> None:
    run = trained("iris", step="adam(lr=one_cycle(0.01))", stop="epochs(6) | patience(2)", seed=3)
    rates = numbers(run, "learning rate decay")
    assert rates["first"] < rates["middle"] > rates["last"]
    assert numbers(run, "early stopping") == {"patience": 2}
    assert numbers(run, "seed") == {"seed": 3}
    assert numbers(run, "batch size")["samples"] == len(ss.data.load("iris").train)


@pytest.mark.parametrize("word", ["learning rate decay", "early stopping"])
def test_a_training_that_has_none(run: ss.Run, word: str) -> None:
    (entry,) = run.explain.words(word).entries
    assert entry.example is None
    assert entry.lacking
