"""What trackers are given of a run, while it trains or afterwards.

Its curves as numbers, its recipe, its findings as alerts.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sevensteps.api.run import Run
from sevensteps.record.history import flat_row
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.state import Training

LOGGER = logging.getLogger("sevensteps")
LEVELS = {"info": "info", "warning": "warning", "error": "error"}


@dataclass(frozen=True)
class Alert:
    """A finding as a tracker shows it: a title, a paragraph, and how severe it is."""

    title: str
    text: str
    level: str


class LiveTracker(Observer):
    """Sends a training to a tracker as it runs: the recipe at its start, the numbers of each
    evaluation, the findings and the card at its end.

    A tracker says how it does that in `open`, `log`, `complete` and `close`. `name` is the name of
    the run there; None: the time, the data and the network. A tracker that fails is logged once,
    and the training goes on without it.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name, self.works = name, True

    def open(self, name: str, parameters: dict[str, str | int]) -> None:
        """A new run of the tracker."""
        raise NotImplementedError

    def log(self, numbers: dict[str, float], step: int) -> None:
        """The numbers of an evaluation."""
        raise NotImplementedError

    def complete(self, run: Run) -> None:
        """What is known at the end; `close` comes after it."""
        raise NotImplementedError

    def close(self, finished: bool) -> None:
        """The end, of a training that finished or was broken off."""
        raise NotImplementedError

    def started(self, training: Training) -> None:
        recipe = training.recipe
        stamp = time.strftime("%Y%m%d-%H%M%S")
        name = self.name or f"{stamp} {recipe.source} {recipe.predict!r}"
        self._unless_broken(lambda: self.open(name, parameters(recipe)))

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        self._unless_broken(lambda: self.log(numbers(row), int(row["step"])))

    def broken_off(self, training: Training) -> None:
        self._unless_broken(lambda: self.close(finished=False))

    def finished(self, run: Any) -> None:
        self._unless_broken(lambda: self.complete(run))
        self._unless_broken(lambda: self.close(finished=True))

    def send(self, run: Run) -> None:
        """All of a run that has been trained."""
        self.open(self.name or name_of(run), parameters(run.recipe))
        for row in run.history:
            self.log(numbers(row), int(row["step"]))
        self.complete(run)
        self.close(finished=True)

    def _unless_broken(self, action: Callable[[], None]) -> None:
        if not self.works:
            return
        try:
            action()
        except Exception as failure:  # whatever a tracker does, the training goes on
            self.works = False
            LOGGER.warning("the tracker failed, and gets no more of this training: %s", failure)


def name_of(run: Run) -> str:
    """What a tracker calls the run: its folder's name, else its data and network."""
    return run.folder.name if run.folder else f"{run.recipe.source} {run.recipe.predict!r}"


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a row of the history, as `valid/loss` and the like."""
    return {
        name.replace("_", "/", 1) if name.startswith(("train_", "valid_")) else name: float(value)
        for name, value in flat_row(dict(row)).items()
        if name != "step" and isinstance(value, int | float) and math.isfinite(value)
    }


def parameters(recipe: Recipe) -> dict[str, str | int]:
    """The seven steps, the data and the seed, as text and numbers."""
    steps = {step: repr(value) for step, value in recipe.steps.items()}
    return {"data": recipe.source, **steps, "seed": recipe.seed}


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
