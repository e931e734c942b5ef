"""Words about how a training is run are defined."""

from __future__ import annotations

import pytest

from sevensteps.explain.words.answer import find_word
from sevensteps.explain.words.training_words import OF_TRAININGS

OF_TRAINING = (
    "batch size, learning rate decay, schedule, one cycle, early stopping, patience, seed, "
    "iteration, step size, shuffling, finite differences, partial derivative, baseline, pixel "
    "similarity, mae, learning curve, data set, noise, class imbalance, batch norm, cnn, recipe"
)


@pytest.mark.parametrize("word", OF_TRAINING.split(", "))
def test_every_word_about_a_training_is_defined(word: str) -> None:
    assert find_word(word) in OF_TRAININGS
