"""A diagnosis as text: what is printed for one list of findings, and for hostile ones."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

import pytest

from sevensteps.doctor.finding import Finding
from sevensteps.doctor.report.text import first_sentence, measured_text, text
from tests.doctor.report.findings import FINDINGS, RULED_OUT, SEEN, hostile

SCREEN = """\
2 findings, most likely cause first. Seen: 1,196 steps of Sequential, 21 of them
closely (2.4 % of the time).

1  learning_rate_too_high                         step: step · error · 90 % sure
   With a learning rate of 10 the steps are too long. Step 1 changed output by 1
   times its own length, and the loss went from 3.07 up to 201.
   since step 1,234

   measured                              observed  expected
   |Δw| / |w| of output in step 1            1.01  below 0.1
   largest early loss against the first      65.3  below 1.5

   → step = sgd(lr=1.0)
     shorter steps follow the slope
     proven: accuracy 0.11 → 0.96 (+0.85, 95 % interval +0.825 to +0.875, 3
     seeds); random changes of that size: 0.2

   → gradient = auto(clip=1.0), step = adam(lr=0.001)
     no gradient is longer than 1 then

   explains: dead_units (vanishing_gradient), underfitting

2  labels_unrelated                           step: repeat · warning · 62 % sure
   The labels have nothing to do with the inputs.

   measured                 observed  expected
   score of a simple model         –  0.3
   samples                    12,345  yes

   → check how inputs and targets are read
     a pattern can only be learned where there is one

Ruled out
  not_shuffled: the classes of one batch are mixed
  inputs_unscaled: the inputs have a root mean square of 0.42, about as a
  network likes it"""


def columns(line: str) -> int:
    """What a terminal needs for a line, by the tables of Unicode."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in line
    )


def test_what_is_printed() -> None:
    assert text(FINDINGS, RULED_OUT, SEEN) == SCREEN


def test_what_is_printed_of_the_healthy() -> None:
    assert text([], RULED_OUT, SEEN) == SEEN


def test_a_finding_without_evidence_or_remedy_has_no_empty_table() -> None:
    said = text([Finding("too_small", "predict", "info", 0.5, "It is small.", [])], [], "Seen.")
    assert said == (
        "1 finding, most likely cause first. Seen.\n\n"
        "1  too_small                                    step: predict · info · 50 % sure\n   It "
        "is small."
    )


@pytest.mark.parametrize(
    "word",
    [
        "w" * 300,
        "层" * 150,
        "encoder.layers.11." * 12,
        "a" + "層b" * 90,
        "🙂" * 100,
        "é" * 200,
        "a b " * 80,
        "x",
    ],
)
def test_no_line_is_wider_than_80_columns(word: str) -> None:
    said = text(hostile(word), [(word, word)], f"Seen: 3 steps of {word}.")
    assert max(map(columns, said.splitlines())) <= 80
    held = "".join(said.split())
    assert held.count(word.replace(" ", "")[:8]) >= 1  # cut, not left out
    assert columns(text([], [], word).splitlines()[-1]) <= 80


@pytest.mark.parametrize("width", [40, 60, 120])
def test_nor_than_another_width(width: int) -> None:
    assert max(map(columns, text(FINDINGS, RULED_OUT, SEEN, width).splitlines())) <= width


def test_no_layer_name_moves_the_cursor() -> None:
    said = text(
        hostile("\x1b[2J\rname\x07\x9b1A\u202eeman"), [("\x1b]0;title\x07", "\x1b")], "\x1b[31m"
    )
    assert [c for c in said if not c.isprintable() and c != "\n"] == []
    assert "name" in said


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.123"),
        (1234567, "1,234,567"),
        (True, "yes"),
        (False, "no"),
        (None, "–"),
        ("3 of 7", "3 of 7"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (2e-9, "2e-09"),
        (0.0, "0"),
    ],
)
def test_how_numbers_are_written(value: Any, text: str) -> None:
    assert measured_text(value) == text


@pytest.mark.parametrize(
    ("paragraph", "sentence"),
    [
        ("One. Two.", "One."),
        ("A rate of 0.1 is too high.", "A rate of 0.1 is too high."),
        ("No stop", "No stop"),
        ("", ""),
        ("It is, e.g. with Adam, so. Then", "It is, e.g. with Adam, so."),
        ("A\n  b. C", "A b."),
        ("So? Yes.", "So?"),
    ],
)
def test_the_first_sentence(paragraph: str, sentence: str) -> None:
    assert first_sentence(paragraph) == sentence


def test_what_was_not_judged_is_said_with_and_without_findings() -> None:
    notes = [("train", "the network raised RuntimeError"), ("too_small", "IndexError: 3")]
    said = "Not judged\n  train: the network raised RuntimeError\n  too_small: IndexError: 3"
    assert text([], (), SEEN, not_judged=notes).endswith(f"\n\n{said}")
    assert text(FINDINGS, RULED_OUT, SEEN, not_judged=notes) == f"{SCREEN}\n\n{said}"
