"""What of a run a tracker is given: its curves as numbers, its recipe, its findings as alerts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sevensteps.api.run import Run

LEVELS = {"info": "info", "warning": "warning", "error": "error"}


@dataclass(frozen=True)
class Alert:
    """A finding as a tracker shows it: a title, a paragraph, and how severe it is."""

    title: str
    text: str
    level: str


def name_of(run: Run) -> str:
    """What a tracker calls the run: its folder's name, else its data and network."""
    return run.folder.name if run.folder else f"{run.recipe.source} {run.recipe.predict!r}"


def curves(run: Run) -> Iterator[tuple[int, dict[str, float]]]:
    """The step and the finite numbers of each evaluation, `valid/loss` and the like."""
    for row in run.history.flat():
        numbers = {
            name.replace("_", "/", 1) if name.startswith(("train_", "valid_")) else name: value
            for name, value in row.items()
            if name != "step" and isinstance(value, int | float) and math.isfinite(value)
        }
        yield int(row["step"]), {name: float(value) for name, value in numbers.items()}


def parameters(run: Run) -> dict[str, str | int]:
    """The seven steps, the data and the seed, as text and numbers."""
    steps = {step: repr(value) for step, value in run.recipe.steps.items()}
    return {"data": run.recipe.source, **steps, "seed": run.recipe.seed}


def alerts(run: Run) -> list[Alert]:
    """The findings, most likely cause first."""
    return [
        Alert(
            f"{finding.condition} ({finding.confidence:.0%} sure, step: {finding.step})",
            finding.explanation,
            LEVELS.get(finding.severity, "warning"),
        )
        for finding in run.findings
    ]
