"""What every explanation is: numbers with names, one screen of text, and a picture.

An answer holds numbers only. How it looks is registered for its class beside it, in the `text.py`
and `figure.py` of its topic, which the topic's package imports, so that no answer is without them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.render.figures import plot
from sevensteps.render.page import notebook_bundle, write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 80  # columns of the screen


class Explanation(ABC):
    """An answer: its fields are the numbers, `print(answer)` is one screen of text.

    `answer.to_dict()` has the numbers for JSON, `answer.plot(path)` draws the picture.
    """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """All numbers as JSON can hold them."""

    def text(self, width: int = WIDTH) -> str:
        """One screen of text, no line wider than `width`."""
        return render_text(self, width)

    def plot(self, path: Path | str | None = None) -> Figure:
        """The picture as a matplotlib figure, written to `path` (.png or .svg) if one is given.

        Raises `ArgumentError` if matplotlib is not installed, or if this answer has no picture.
        """
        return plot(self, path)

    def report(self, path: Path | str) -> Path:
        """Write the answer as one HTML file that opens anywhere, and return its path.

        Raises `ArgumentError` where there is no page of this answer alone.
        """
        return write_page(self, path)

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return notebook_bundle(self)

    def __str__(self) -> str:
        return self.text()


@singledispatch
def render_text(answer: Explanation, width: int) -> str:
    """The answer as one screen of text, no line wider than `width`. One function a class."""
    raise TypeError(f"no text is registered for {type(answer).__name__}")
