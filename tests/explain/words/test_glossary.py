"""The glossary has the words of the field, each with a definition."""

from __future__ import annotations

from sevensteps.explain.words.answer import find_word
from sevensteps.explain.words.examples import EXAMPLES
from sevensteps.explain.words.glossary import GLOSSARY, LISTED


def test_the_glossary_has_the_words_of_the_field() -> None:
    names = {word.name for word in GLOSSARY}
    asked = (
        "activation, parameter, scalar, vector, matrix, rank, axis, layer, linear, nonlinear, "
        "relu, mini-batch, forward pass, "
        "backward pass, loss, metric, gradient, gradient descent, sgd, learning rate, epoch, "
        "bias, broadcasting, chain rule, "
        "vanishing gradient, exploding gradient, dead unit, dead input, saturation, symmetry, "
        "logit, sigmoid, softmax, "
        "cross-entropy, overfitting, perceptron"
    )
    assert [find_word(word).name for word in asked.split(", ")] == [word.name for word in LISTED]
    assert names >= set(EXAMPLES) == {word.name for word in GLOSSARY if not word.like}
    assert {word.like for word in GLOSSARY} - {""} <= set(EXAMPLES)
    spelled = [text for word in GLOSSARY for text in (word.name.lower(), *word.also)]
    assert len(spelled) == len(set(spelled))
    for word in GLOSSARY:
        assert word.definition.endswith(".")
        assert word.definition.count(". ") == 0  # one sentence
        assert len(word.short) <= 58
