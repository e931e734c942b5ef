"""Tools that say what is wrong with a training, each in a file of its own, on the doctor's cases:
`python -m benchmarks.doctor.peers`.

To enter another tool, add a file here with three names; it takes part as soon as its package is
installed:

    PACKAGE   the name that it is installed under, for its version
    SETTINGS  {how it is set: keywords of `Watch`}; every setting is a row of the table, "" is the
              tool's name alone
    Watch     a class on `Watching`, called with (setup, **keywords), which uses the tool as its
              documentation shows for a plain PyTorch loop
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from types import ModuleType
from typing import Any, Self

from torch import Tensor

from benchmarks.doctor.loop import Setup

OURS = "sevensteps"


@dataclass(frozen=True)
class PeerFinding:
    """One finding: the tool's own `name` for it, and whether it is `loud`: a warning or worse, by
    the tool's own severity.

    `means` are the conditions of ours that it names, gives as a cause or proposes to cure; any one
    that is right counts, so in doubt one too many. Empty where it has to do with none."""

    name: str
    loud: bool
    means: tuple[str, ...]


class Watching:
    """Watches one training, as a context manager around it. `crashed`: what of the tool failed
    without ending the training.
    """

    crashed = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        return None

    def step(self, loss: Tensor, target: Tensor) -> None:
        """Called after each `optimizer.step()`."""

    def diagnose(self, **data: Any) -> list[PeerFinding]:
        """What it found, in the tool's own order, the most serious first; called once, after the
        last step.

        `given`: `train=(x, y)`, `valid=(x, y)` and `loss_fn`, for a tool that takes them.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Tool:
    """A tool as one of its settings has it."""

    label: str
    version: str
    watch: Callable[[Setup], Watching]


def tools(only: str = "") -> dict[str, Tool]:
    """The tools that are installed, ours first, by label; only those whose label contains
    `only`.
    """
    installed = {}
    files = (part.name for part in pkgutil.iter_modules(__path__) if not part.name.startswith("_"))
    for name in sorted(files, key=lambda name: (name != OURS, name)):
        # imports the tool itself only when it watches
        module: ModuleType = importlib.import_module(f"{__name__}.{name}")
        try:
            version = metadata.version(module.PACKAGE)
        except metadata.PackageNotFoundError:
            continue
        for setting, keywords in module.SETTINGS.items():
            label = f"{module.PACKAGE}, {setting}" if setting else module.PACKAGE
            if only in label:
                installed[label] = Tool(label, version, partial(module.Watch, **keywords))
    return installed


def first(optimizer: Any) -> Any:
    """The optimizer, for tools that take one; the first where there are several."""
    return optimizer[0] if isinstance(optimizer, list) else optimizer
