"""A search drawn, from losses that were not trained but set: what stands where in the text, and in
the figure.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sevensteps as ss
from sevensteps.lr_finder import text as view
from sevensteps.lr_finder.rates import Rate, Rates, Sharpness


def made(losses: dict[float, tuple[float, str]], suggestion: float, **changes: Any) -> Rates:
    recipe = ss.Recipe("digits", step=ss.sgd(lr=suggestion))
    tried = tuple(Rate(lr, loss, 100, loss, loss, label) for lr, (loss, label) in losses.items())
    return replace(
        Rates(
            recipe,
            tried,
            suggestion,
            2.0,
            1.9,
            100,
            100,
            ((len(tried), 100),),
            (1.0, 1.0),
            Sharpness(4.0, 0.5, None, "2/λ = 0.5"),
            1.0,
        ),
        **changes,
    )


@pytest.fixture
def valley() -> Rates:
    return made(
        {
            0.01: (2.0, "too low"),
            0.1: (0.2, "good"),
            1.0: (0.02, "good"),
            10.0: (1.9, "edge"),
            100.0: (math.inf, "diverges"),
        },
        1.0,
    )


def test_the_text_is_as_high_as_the_loss(valley: Rates) -> None:
    lines = view.drawing(valley)
    columns = [
        [line[10 + 2 * i] if len(line) > 10 + 2 * i else " " for line in lines[: view.DRAWING_ROWS]]
        for i in range(5)
    ]
    full = [
        sum(view.BLOCKS.index(mark) / 8 if mark in view.BLOCKS else 0 for mark in column)
        for column in columns
    ]
    assert full == pytest.approx(
        [8, 0.5 + 7.5 / 2, 0.5, 8, 0], abs=0.13
    )  # on a logarithmic scale 0.2 lies in the middle
    assert columns[4][0] == "×"
    assert lines[view.DRAWING_ROWS][10:] == "──━━━━┄┄××"
    assert lines[view.DRAWING_ROWS + 1].index("▲") == 10 + 2 * 2
    assert lines[0].split()[0] == "2"
    assert lines[view.DRAWING_ROWS - 1].split()[0] == "0.02"
    assert lines[-1].split() == ["lr", "0.01", "0.1", "1", "10", "100"] or lines[-1].startswith(
        "       lr "
    )


def test_what_is_said(valley: Rates) -> None:
    said = dict(view.sentences(valley))
    assert said["Take"].startswith("1 (sure: with 2 of 2 further seeds")
    assert said["Good"] == "from 0.1 to 1; from 100 on it diverges or learns nothing"
    assert said["Trained"] == "100 steps at 1: training loss 2 → 0.02, the lowest of all"
    assert "Note" not in said
    short = dict(view.sentences(replace(valley, full=5000, seeds=(1.0, 3.0), suggestion=0.1)))
    assert "5,000 steps" in short["Note"]
    assert short["Take"].startswith("0.1 (fairly sure: with 1 of 2")
    assert "9e+02 % above the lowest, at 1" in short["Trained"]
    assert (
        "knows nothing of its inputs (0.02)"
        in dict(view.sentences(replace(valley, nothing=0.02)))["Note"]
    )
    assert view.legend(valley).split("   ")[-1] == "×× diverges"


def test_one_that_all_rates_reach_is_drawn() -> None:
    flat = made({0.1: (1.0, "good"), 1.0: (1.0, "good"), 10.0: (0.0, "good")}, 10.0)
    assert len(view.drawing(flat)) == view.DRAWING_ROWS + 3
    assert flat.plot() is not None


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_figure_is_written(suffix: str, valley: Rates, tmp_path: Path) -> None:
    path = tmp_path / f"rates.{suffix}"
    made = valley.plot(path)
    (axes,) = made.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    marked = [
        line
        for line in axes.lines
        if line.get_marker() == "o" and line.get_markerfacecolor() == "none"
    ]
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in marked] == [
        ([1.0], [0.02])
    ]
    assert [text.get_text() for text in axes.texts] == ["too low", "good", "edge", "diverges"]
    if suffix == "png":
        with Image.open(path) as image:
            assert image.size == (1200, 690)
            assert len(image.convert("RGB").getcolors(1 << 20) or []) > 50
    else:
        assert path.read_text(encoding="utf-8").startswith("<?xml")


def test_stages_are_two_lines(valley: Rates) -> None:
    last = tuple(
        replace(rate, steps=400, train=rate.train / 2) if rate.label == "good" else rate
        for rate in valley.rates
    )
    figure = replace(valley, rates=last, steps=400, stages=((5, 100), (2, 400))).plot()
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()][:2] == [
        "after 100 steps",
        "after 400 steps",
    ]


@pytest.mark.parametrize("name", ["rates.pdf", "rates", "rates.png.txt"])
def test_another_kind_of_file_is_refused(name: str, valley: Rates, tmp_path: Path) -> None:
    with pytest.raises(ss.Error, match=r"\.png or \.svg"):
        valley.plot(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(valley: Rates, tmp_path: Path) -> None:
    with pytest.raises(ss.Error, match="cannot be written"):
        valley.plot(tmp_path / "nowhere" / "rates.png")


def test_without_matplotlib_it_says_what_to_install(
    valley: Rates, monkeypatch: pytest.MonkeyPatch
) -> None:
    find: Callable[..., Any] = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "matplotlib" else find(name, *rest),
    )
    with pytest.raises(ss.Error, match=r'pip install "sevensteps\[plot\]"'):
        valley.plot()
