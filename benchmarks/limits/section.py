"""What all sections share: what was asked of them, their fresh processes, and their answer."""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.limits import NAMES
from benchmarks.speed.machine import fresh


@dataclass(frozen=True)
class Options:
    """How a section is to measure: `rounds` in turn; `quick` does so little that it only shows that
    everything works.
    """

    quick: bool
    rounds: int
    data_dir: Path | None


@dataclass
class Section:
    """A part of the report: lines of Markdown, and for each target what it is of and whether it was
    met.
    """

    title: str
    lines: list[str]
    targets: dict[str, bool] = field(default_factory=dict)

    def markdown(self, heading: str = "##") -> str:
        return "\n".join([f"{heading} {self.title}", "", *self.lines])


class Failed(Exception):
    """A process did not measure what it should have; the message says why."""


def measured(module: str, function: str, **arguments: Any) -> dict[str, Any]:
    """What `module.function(**arguments)` returns in a fresh process; raises `Failed`. All must be
    what JSON can hold.
    """
    description = ", ".join(
        f"{key} {value}" for key, value in arguments.items() if key != "data_dir"
    )
    print(f"{module.rpartition('.')[2]}: {function}({description}) … ", end="", flush=True)
    measurement = fresh(
        __name__,
        module,
        function,
        json.dumps({key: str(a) if isinstance(a, Path) else a for key, a in arguments.items()}),
    )
    print(measurement.get("failure", "done"), flush=True)
    if "failure" in measurement:
        raise Failed(measurement["failure"])
    return measurement


def in_order(stored: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stored pieces of a machine in the order of the report."""
    return [stored[name] for name in NAMES if name in stored]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def mark(met: bool) -> str:
    return "met" if met else "**missed**"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _, module, function, arguments = sys.argv
    print(json.dumps(getattr(importlib.import_module(module), function)(**json.loads(arguments))))
