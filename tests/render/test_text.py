"""Wrapped lines: no wider than a terminal is, whatever the words are."""

from __future__ import annotations

import random
import textwrap

import pytest
from rich.cells import cell_len

from sevensteps.render.text import number_text, shell_quote, wrap


def test_lines_are_those_of_the_standard_library() -> None:
    draw = random.Random(0)
    for _ in range(300):
        words = ["x" * draw.randint(1, 12) for _ in range(draw.randint(1, 30))]
        text = "".join(word + " " * draw.choice((1, 1, 1, 2, 5)) for word in words).rstrip()
        width = draw.randint(20, 60)
        indent, further = " " * draw.randint(0, 4), " " * draw.randint(0, 4)
        assert wrap(text, width, indent, further) == textwrap.wrap(
            text, width, initial_indent=indent, subsequent_indent=further
        )


def test_a_wide_character_takes_two_cells() -> None:
    lines = wrap("層 層層 層層層 " * 10, 11, "  ")
    assert max(map(cell_len, lines)) <= 11
    assert "".join("".join(lines).split()) == "層層層層層層" * 10


def test_a_long_word_is_cut() -> None:
    assert wrap("a " + "b" * 25, 12) == ["a", "  " + "b" * 10, "  " + "b" * 10, "  bbbbb"]
    assert wrap("", 12, "  ") == [""]
    assert wrap("a b", 1, " " * 20) == [" " * 20 + "a", " " * 22 + "b"], "narrower than its indent"


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("runs/a-b_1.toml", "runs/a-b_1.toml"),
        ("--seeds=3", "--seeds=3"),
        ("", '""'),
        ("mlp(30)", '"mlp(30)"'),
        ('table("a.csv")', "'table(\"a.csv\")'"),
    ],
)
def test_words_of_a_command_line(word: str, quoted: str) -> None:
    assert shell_quote(word) == quoted


def test_numbers() -> None:
    assert [number_text(x) for x in (0.123456, 12345.6, 1e-9)] == ["0.1235", "1.235e+04", "1e-09"]
