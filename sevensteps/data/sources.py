"""`Source`: where data come from, as a value.

A new source is one class in a file that lists it in `__all__`, and the row of that file in
`sevensteps.data.loading.SOURCE_MODULES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.dataset import Data
from sevensteps.data.scaling import SCALINGS


class Source(ABC):
    """Where data come from, as a value: `digits(seed=1)`.

    What it draws depends on its own seed, never on the training's. A subclass is made with
    `@sevensteps.notation.value`, lists its arguments as fields, with defaults, and has `load`. Of
    the fields below it has those that it needs; they are checked here. `scale` is "none",
    "standardize" or "unit" (see `sevensteps.data.scaling.fit_scaling`), or "default" for what suits
    the source; `valid` the share of the samples to validate by, `memory` the megabytes that samples
    may take.
    """

    scale: str
    seed: int

    def __post_init__(self) -> None:
        arguments = vars(self)
        if "path" in arguments:  # also a pathlib.Path
            arguments["path"] = str(arguments["path"])
        if "valid" in arguments:
            number("valid", arguments["valid"], above=0, below=1)
        if arguments.get("memory") is not None:
            number("memory", arguments["memory"], above=0)
        one_of("scale", self.scale, ("default", *SCALINGS))
        whole("seed", self.seed)

    @property
    def text(self) -> str:
        """Its notation; the bare name where every argument has its default."""
        return repr(self).removesuffix("()")

    def scale_or(self, usual: str) -> str:
        """The scaling to use: `usual` where `scale` is "default"."""
        return usual if self.scale == "default" else self.scale

    @abstractmethod
    def load(self, data_dir: Path | None = None) -> Data:
        """The data. `data_dir` is where files are looked for, by the sources that read files."""
