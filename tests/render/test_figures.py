"""Where a figure may be written, and which answers have a picture."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from sevensteps.errors import ArgumentError
from sevensteps.render.figures import draw_figure, new_figure, plot, require_drawable, save_figure


@pytest.mark.parametrize("name", ["a.png", "a.SVG", "folder.d/a.svg"])
def test_png_and_svg_are_drawn(name: str) -> None:
    require_drawable(Path(name))


@pytest.mark.parametrize("name", ["a.jpg", "png", "a.png.txt"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"a plot is written as \.png or \.svg, not as"):
        require_drawable(Path(name))


def test_without_matplotlib_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r'pip install "sevensteps\[plot\]"$'):
        require_drawable(Path("a.png"))


def test_a_figure_is_written_in_the_format_of_its_name(tmp_path: Path) -> None:
    figure = new_figure()
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
