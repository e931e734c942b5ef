"""Where a figure may be written, and which answers have a picture."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from matplotlib.colors import to_hex

from sevensteps.errors import ArgumentError
from sevensteps.render.figures import (
    current_palette,
    draw_figure,
    drawn_figure,
    plot,
    require_drawable,
    save_figure,
)
from sevensteps.render.palette import palette


@pytest.mark.parametrize("name", ["a.png", "a.SVG"])
def test_png_and_svg_are_drawn(name: str, tmp_path: Path) -> None:
    require_drawable(Path(name))
    require_drawable(tmp_path / name)
    with pytest.raises(ArgumentError, match=r"cannot be written: there is no folder .*missing$"):
        require_drawable(tmp_path / "missing" / name)


@pytest.mark.parametrize("name", ["a.jpg", "png", "a.png.txt"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"a plot is written as \.png or \.svg, not as"):
        require_drawable(Path(name))


def test_without_matplotlib_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r"write: \S*python\S* -m pip install matplotlib$"):
        require_drawable(Path("a.png"))


def test_a_figure_is_written_in_the_format_of_its_name(tmp_path: Path) -> None:
    with drawn_figure() as figure:
        figure.subplots()
    assert save_figure(figure, tmp_path / "a.png") is figure
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n")
    save_figure(figure, tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text()
    with pytest.raises(ArgumentError, match=r"cannot be written: No such file or directory$"):
        save_figure(figure, tmp_path / "missing" / "a.png")


def test_only_registered_answers_have_a_picture(tmp_path: Path) -> None:
    class Answer:
        """A kind of answer that only this test has."""

    with pytest.raises(ArgumentError, match="there is no picture of it"):
        plot(Answer(), tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
    draw_figure.register(Answer, lambda answer, figure: figure.suptitle("drawn"))
    assert plot(Answer())._suptitle.get_text() == "drawn"


def test_one_look_whatever_style_is_around() -> None:
    import matplotlib

    def looks() -> tuple[object, ...]:
        with drawn_figure() as figure:
            axes = figure.subplots()
            axes.plot([0, 1], label="line")
        figure.canvas.draw()
        tick = axes.get_xticklabels()[0]
        return (
            figure.get_facecolor(),
            axes.lines[0].get_color(),
            axes.lines[0].get_linewidth(),
            tick.get_color(),
            tick.get_fontsize(),
            tick.get_fontname(),
            axes.spines["top"].get_visible(),
        )

    plain = looks()
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "xtick.color": "red"}):
        assert looks() == plain
    assert matplotlib.rcParams["lines.linewidth"] != 1.8


def test_a_dark_style_has_a_dark_figure() -> None:
    from matplotlib import style

    with style.context("dark_background"), drawn_figure() as figure:
        assert current_palette() is palette("dark")
    assert to_hex(figure.get_facecolor()) == palette("dark")["raised"]


def test_dollar_signs_in_names_are_no_formulas() -> None:
    with drawn_figure() as figure:
        axes = figure.subplots()
        axes.barh([r"$\frac$", "$a$"], [1, 2], label=r"$\nonsense$")
        axes.set(title=r"$\oops{$", xscale="log")
        axes.legend()
    figure.canvas.draw()
    assert axes.get_yticklabels()[0].get_parse_math() is False
    assert any(label.get_parse_math() for label in axes.get_xticklabels())


def test_a_notebook_shows_a_figure_without_pyplot() -> None:
    with drawn_figure() as figure:
        figure.subplots()
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
