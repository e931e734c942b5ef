"""A search drawn, from losses that were not trained but set: what stands where in the figure."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sevensteps as ss
from sevensteps.lr_finder.rates import Rates


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_figure_is_written(suffix: str, valley: Rates, tmp_path: Path) -> None:
    path = tmp_path / f"rates.{suffix}"
    (axes,) = valley.plot(path).axes
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
    with pytest.raises(ss.Error, match="-m pip install matplotlib"):
        valley.plot()
