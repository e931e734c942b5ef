"""What every explanation is: numbers with names, one screen of words, and a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

WIDTH = 80  # columns of the screen


class Explanation(ABC):
    """An answer. Its fields are the numbers; `print(found)` is one screen, `found.to_dict()` JSON, `found.plot(path)` the picture."""

    @abstractmethod
    def text(self, width: int = WIDTH) -> str:
        """One screen, no line wider than `width`."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """All numbers as JSON can hold them."""

    def plot(self, path: Path | str | None = None) -> Any:
        """The picture as a figure of matplotlib; written to `path` (.png or .svg) where one is
        given.

        Raises `ArgumentError` where matplotlib is not installed.
        """
        from sevensteps.render.figures import picture

        return picture(self, path)

    def __str__(self) -> str:
        return self.text()
