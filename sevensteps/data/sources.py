"""Where data come from, as a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from sevensteps.data.dataset import Data


class Source(ABC):
    """Where data come from, as a value: `digits(seed=1)`. What it draws depends on its own seed, never on the training's.

    `scale` is "none", "standardize" or "unit" (see `sevensteps.data.scaling.learn`), or "default"
    for what suits the source."""

    scale: str
    seed: int

    @property
    def text(self) -> str:
        """Its notation; the bare name where every argument has its default."""
        return repr(self).removesuffix("()")

    @abstractmethod
    def load(self, data_dir: Path | None = None) -> Data:
        """The data. `data_dir` is where files are looked for, by the sources that read files."""
