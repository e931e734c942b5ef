"""Words of loops, of computers, and of what is said about a training, are defined."""

from __future__ import annotations

import pytest

from sevensteps.doctor.finding import Finding
from sevensteps.explain.words.answer import find_word
from sevensteps.explain.words.practice_words import OF_PRACTICE

OF_LOOPS = (
    "zero_grad, no_grad, gradient accumulation, detach, norm, length, nan, not finite, bfloat16, "
    "checkpoint, state_dict, leakage, duplicates, DataLoader, gpu, threads, bit-identical, "
    "condition, diagnosis, remedy, look, race, class weights, label smoothing"
)


@pytest.mark.parametrize("word", OF_LOOPS.split(", "))
def test_every_word_about_loops_is_defined(word: str) -> None:
    assert find_word(word) in OF_PRACTICE


@pytest.mark.parametrize("word", ["condition", "remedies"])
def test_what_a_finding_has_is_a_word(word: str) -> None:
    assert word in Finding.__annotations__
    assert find_word(word) in OF_PRACTICE
