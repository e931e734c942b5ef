"""Further words: each is defined, and shows an example of its own or that of a listed word."""

from __future__ import annotations

import pytest

from sevensteps.explain.words.answer import find_word
from sevensteps.explain.words.further_words import FURTHER
from sevensteps.explain.words.glossary import GLOSSARY, LISTED

OF_THE_TEXTS = (
    "neuron, feature, hidden unit, hidden layer, target, label, tensor, mean squared error, mse, "
    "step function, pre-activation, initialisation, hyper-parameter, convergence, plateau, "
    "momentum, optimizer, validation, probability, out_features, neural network, tanh, cost"
)


@pytest.mark.parametrize("word", OF_THE_TEXTS.split(", "))
def test_every_word_of_the_texts_is_defined(word: str) -> None:
    assert find_word(word) in FURTHER


def test_what_a_word_is_like_has_an_example_of_its_own() -> None:
    own = {word.name for word in GLOSSARY if not word.like}
    assert {word.like for word in GLOSSARY} - {""} <= own
    assert not {word.name for word in LISTED} & {word.name for word in GLOSSARY[len(LISTED) :]}
