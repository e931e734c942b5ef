"""Pictures drawn by matplotlib: how an answer is drawn, and where its figure may be written."""

from __future__ import annotations

import importlib.util
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
DPI = 150


def require_drawable(path: Path) -> None:
    """Raise `ArgumentError` where no figure can be saved to `path`: it is no .png or .svg, or
    matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise ArgumentError(f"a plot is written as .png or .svg, not as {path.name!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError(
            'drawing needs matplotlib, which is not installed: pip install "sevensteps[plot]"'
        )


def new_figure() -> Figure:
    """An empty figure; matplotlib is imported only here, when one is drawn."""
    from matplotlib.figure import Figure

    return Figure(layout="constrained", dpi=DPI)


def save_figure(figure: Any, path: Path | str | None) -> Any:
    """Save `figure` to `path`, unless that is None, and return it. Raises `ArgumentError` where the
    file cannot be written.
    """
    if path is not None:
        try:
            figure.savefig(path)
        except OSError as failure:
            raise ArgumentError(
                f"{path} cannot be written: {failure.strerror or failure}"
            ) from None
    return figure


def plot(answer: object, path: Path | str | None = None) -> Figure:
    """The picture of an answer as a matplotlib figure, written to `path` (.png or .svg) if given.

    Raises `ArgumentError` if matplotlib is not installed, if the answer has no picture, or if
    `path` cannot be written.
    """
    require_drawable(Path(path or "picture.png"))
    figure = new_figure()
    draw_figure(answer, figure)
    save_figure(figure, path)
    return figure


@singledispatch
def draw_figure(answer: object, figure: Figure) -> None:
    """Draw the answer into an empty matplotlib `figure`. One function a class that has a picture.

    Raises `ArgumentError` for an answer without one.
    """
    raise ArgumentError("this answer is words and numbers alone; there is no picture of it")
