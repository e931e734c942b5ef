"""A search as text, from losses that were not trained but set: the drawing and the sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sevensteps.lr_finder import text as view
from sevensteps.lr_finder.rates import Rates
from tests.lr_finder.conftest import make_rates


def test_the_text_is_as_high_as_the_loss(valley: Rates) -> None:
    lines = view.drawing(valley)
    columns = [
        [line[10 + 2 * i] if len(line) > 10 + 2 * i else " " for line in lines[: view.ROWS]]
        for i in range(5)
    ]
    heights = [
        sum(view.FILLS.index(mark) / 8 if mark in view.FILLS else 0 for mark in column)
        for column in columns
    ]
    # on a logarithmic scale 0.2 lies in the middle
    assert heights == pytest.approx([8, 0.5 + 7.5 / 2, 0.5, 8, 0], abs=0.13)
    assert columns[4][0] == "×"
    assert lines[view.ROWS][10:] == "──━━━━┄┄××"
    assert lines[view.ROWS + 1].index("▲") == 10 + 2 * 2
    assert lines[0].split()[0] == "2"
    assert lines[view.ROWS - 1].split()[0] == "0.02"
    assert lines[-1].split() == ["lr", "0.01", "0.1", "1", "10", "100"] or lines[-1].startswith(
        "       lr "
    )


def test_the_sentences(valley: Rates) -> None:
    sentences = dict(view.sentences(valley))
    assert sentences["Take"].startswith("1 (sure: with 2 of 2 further seeds")
    assert sentences["Good"] == "from 0.1 to 1; from 100 on it diverges or learns nothing"
    assert sentences["Trained"] == "100 steps at 1: training loss 2 → 0.02, the lowest of all"
    assert "Note" not in sentences
    short = dict(view.sentences(replace(valley, full=5000, seeds=(1.0, 3.0), suggestion=0.1)))
    assert "5,000 steps" in short["Note"]
    assert short["Take"].startswith("0.1 (fairly sure: with 1 of 2")
    assert "9e+02 % above the lowest, at 1" in short["Trained"]
    assert (
        "a network that ignores its inputs (0.02)"
        in dict(view.sentences(replace(valley, nothing=0.02)))["Note"]
    )
    assert view.legend(valley).split("   ")[-1] == "×× diverges"


def test_one_that_all_rates_reach_is_drawn() -> None:
    flat = make_rates({0.1: (1.0, "good"), 1.0: (1.0, "good"), 10.0: (0.0, "good")}, 10.0)
    assert len(view.drawing(flat)) == view.ROWS + 3
    assert flat.plot() is not None
