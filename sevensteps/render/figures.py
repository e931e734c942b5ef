"""Pictures drawn by matplotlib: where they may be written, and those of explanations, a module
`drawn_…` for each kind of answer.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from sevensteps.errors import ArgumentError

FORMATS = (".png", ".svg")
FIGURES = {
    "Samples": "sevensteps.explain.sample.ranked_figure",
    "Confusion": "sevensteps.explain.sample.confusion_figure",
    "Backward": "sevensteps.explain.gradient.backward_figure",
}


def drawable(path: Path) -> None:
    """Raise `ArgumentError` where no plot can be written to `path`: matplotlib missing, or another
    kind of file.
    """
    if path.suffix.lower() not in FORMATS:
        raise ArgumentError(f"a plot is written as .png or .svg, not as {path.name!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError(
            'drawing needs matplotlib, which is not installed: pip install "sevensteps[plot]"'
        )


def written(figure: Any, path: Path | str | None) -> Any:
    """The figure, which is also in the file `path` where one is given. Raises `ArgumentError` where
    that cannot be written.
    """
    if path is not None:
        try:
            figure.savefig(path)
        except OSError as failure:
            raise ArgumentError(
                f"{path} cannot be written: {failure.strerror or failure}"
            ) from None
    return figure


def picture(answer: Any, path: Path | str | None = None) -> Any:
    """The figure of an answer; written to `path` where one is given. Raises what `drawable` and
    `written` raise, and `ArgumentError` for an answer that has no picture."""
    drawable(Path(path or "picture.png"))
    name = FIGURES.get(
        type(answer).__name__, f"{type(answer).__module__.rpartition('.')[0]}.figure"
    )
    if importlib.util.find_spec(name) is None:
        raise ArgumentError("this answer is words and numbers alone; there is no picture of it")
    draw: Callable[[Any], Any] = import_module(name).draw
    figure = draw(answer)
    figure.set_dpi(150)
    return written(figure, path)
