"""Words about how good and how sure answers are, are defined."""

from __future__ import annotations

import pytest

from sevensteps.explain.words.answer import find_word
from sevensteps.explain.words.answer_words import OF_ANSWERS

OF_AN_ANSWER = (
    "confusion matrix, precision, recall, sensitivity, false positives, F1, f-score, AUC, roc, "
    "perplexity, entropy, likelihood, log, calibration, chance level, k-fold, hinge, huber"
)


@pytest.mark.parametrize("word", OF_AN_ANSWER.split(", "))
def test_every_word_about_answers_is_defined(word: str) -> None:
    assert find_word(word) in OF_ANSWERS
