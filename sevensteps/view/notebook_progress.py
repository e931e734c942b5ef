"""The progress of a training or a race in the output of a notebook's cell: a picture that is
updated as it runs, and whose last state stays.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float64
from torch import Tensor

from sevensteps.doctor.report.text import first_sentence
from sevensteps.metrics import LOWER_IS_BETTER, primary
from sevensteps.racing.leaderboard import differing_values, group_by_recipe
from sevensteps.racing.run_race import RaceState
from sevensteps.render.text import count_text, metric_text
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training
from sevensteps.view.live_picture import LiveCurve, LiveDisplay, LiveState

FINDINGS = 5  # that are named
RACED = 6  # recipes with a curve, as many as there are colours
SAMPLED = 0.01  # seconds between two losses that are drawn
SURE = 10  # steps before the time left is known
OF_A_STRETCH = 64  # losses of many steps in one call


class NotebookProgress(Observer):
    """The losses so far, epoch, metric, seconds left, and what the doctor found."""

    def __init__(self) -> None:
        self.display = LiveDisplay()
        self.losses = LiveCurve("steps", "series-1", soft=True)
        self.train = LiveCurve("training", "series-1")
        self.valid = LiveCurve("validation", "series-2")
        self.metrics: dict[str, Any] = {}
        self.findings: list[Any] = []
        self.began = self.next = time.monotonic()

    def examined(self, training: Training, findings: list[Any]) -> None:
        self.findings = findings

    def started(self, training: Training) -> None:
        self.first, self.began = training.progress.step, time.monotonic()

    def compiling(self, training: Training) -> None:
        self.display.show(LiveState(self._title(training), "compiling the steps, once here …"))

    def stepped(self, training: Training) -> None:
        now = time.monotonic()
        if now < self.next:  # nearly always: a step may take no more than 0.1 ms
            return
        self.next = now + SAMPLED
        self.losses.add(training.progress.step, training.progress.loss)
        if self.display.due:
            self.display.show(self._state(training))

    def stretched(
        self, training: Training, losses: Float64[Tensor, "K"], rates: Float64[Tensor, "K"]
    ) -> None:
        start = training.progress.step - len(losses)
        every = max(len(losses) // OF_A_STRETCH, 1)
        for place, loss in zip(range(0, len(losses), every), losses[::every].tolist(), strict=True):
            self.losses.add(start + place + 1, loss)
        if self.display.due:
            self.display.show(self._state(training))

    def free_steps(self, training: Training) -> int:
        return sys.maxsize  # so many as there are between two updates

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        self.metrics = row["valid"]
        for curve, part in ((self.train, "train"), (self.valid, "valid")):
            if (loss := row[part].get("loss")) is not None:
                curve.add(row["step"], loss)

    def finished(self, run: Any) -> None:
        self.findings = run.findings
        seconds = f"{run.outcome.seconds:.3g} s"
        reason = f"stopped: {run.outcome.stop.reason}"
        steps = count_text(run.outcome.steps, "step")
        figures = [steps, *self._metrics_text(), seconds, reason]
        self._last(f"{run.recipe.source}, trained", figures)

    def broken_off(self, training: Training) -> None:
        figures = [count_text(training.progress.step, "step"), *self._metrics_text()]
        self._last(f"{self._title(training)}, broken off", figures)

    def _last(self, title: str, figures: Sequence[str]) -> None:
        self.display.show(
            LiveState(title, " · ".join(figures), self._findings_text(), self._curves())
        )

    def _title(self, training: Training) -> str:
        return str(training.resolved.data.source)

    def _state(self, training: Training) -> LiveState:
        progress, total = training.progress, training.total
        epochs = f"/{-(-total // training.per_epoch)}" if total else ""
        figures = [
            f"epoch {max(-(-progress.step // training.per_epoch), 1)}{epochs}",
            f"loss {progress.loss:.4g}",
            *self._metrics_text(),
        ]
        share = min(progress.step / total, 1.0) if total else None
        done = progress.step - self.first
        if total and done >= SURE:  # the first steps take longest
            left = (time.monotonic() - self.began) / done * (total - progress.step)
            figures.append(f"{seconds_text(left)} left")
        return LiveState(
            self._title(training), " · ".join(figures), self._findings_text(), self._curves(), share
        )

    def _curves(self) -> list[LiveCurve]:
        return [self.losses, self.train, self.valid]

    def _metrics_text(self) -> list[str]:
        if not self.metrics:
            return []
        name = primary(self.metrics)
        return [f"validation {name} {metric_text(name, self.metrics[name])}"]

    def _findings_text(self) -> list[tuple[str, str]]:
        return [
            (finding.severity, f"{finding.condition}: {first_sentence(finding.explanation)}")
            for finding in self.findings[:FINDINGS]
        ]


class NotebookRace:
    """The validation metric of each recipe so far, how many still train, and the time left."""

    def __init__(self) -> None:
        self.display = LiveDisplay()
        self.began = time.monotonic()
        self.state: RaceState | None = None

    def __call__(self, state: RaceState) -> None:
        self.state = state
        if self.display.due:
            self.display.show(self._state(state))

    def close(self) -> None:
        """Show the last state."""
        if self.state is not None:
            self.display.show(self._state(self.state))

    def _state(self, state: RaceState) -> LiveState:
        trainings, totals = state.trainings, [training.total for training in state.trainings]
        running = [member for member in state.members if not member.ended]
        done = sum(
            (training.total if member.ended else None) or training.progress.step
            for member, training in zip(state.members, trainings, strict=True)
        )
        total = None if None in totals else sum(total or 0 for total in totals)
        share = min(done / total, 1.0) if total else None
        epoch = min((member.training.progress.epoch for member in running), default=None)
        figures = [] if epoch is None else [f"epoch {epoch + 1}"]
        total_text = count_text(len(trainings), "training")
        figures.append(f"{len(running)} of {total_text} under way" if running else total_text)
        curves = race_curves(state)
        if curves:
            figures.append(f"ahead: {curves[0].name} with {curves[0].drawn[-1][1]:.4f}")
        if share and running:
            left = (time.monotonic() - self.began) * (1 - share) / share
            figures.append(f"{seconds_text(left)} left")
        name = str(trainings[0].resolved.data.source)
        return LiveState(f"Race on {name}", " · ".join(figures), (), curves, share)


def race_curves(state: RaceState) -> list[LiveCurve]:
    """The main validation metric by step of the recipes that are ahead, the best first: the mean
    over the seeds, as far as all of them have come.
    """
    recipes = [training.recipe for training in state.trainings]
    groups = group_by_recipe(recipes)
    rows = []
    for numbers, values in zip(groups, differing_values(recipes, groups), strict=True):
        histories = [state.trainings[number].progress.history for number in numbers]
        curve = LiveCurve(", ".join(values.values()) or "as given", "")
        for evaluated in zip(*histories, strict=False):
            metric = primary(evaluated[0]["valid"])
            merits = [row["valid"].get(metric) for row in evaluated]
            mean = math.nan if None in merits else sum(merits) / len(merits)
            curve.add(evaluated[0]["step"], mean)
        known = [value for _, value in curve.points if math.isfinite(value)]
        if known:
            rows.append((-known[-1] if not LOWER_IS_BETTER[metric] else known[-1], curve))
    rows.sort(key=lambda row: row[0])
    curves = [curve for _, curve in rows[:RACED]]
    for rank, curve in enumerate(curves, 1):
        curve.token = f"series-{rank}"
    return curves


def seconds_text(seconds: float) -> str:
    """A time in the unit that people would take.

    >>> seconds_text(42.3), seconds_text(200), seconds_text(7500)
    ('42 s', '3 min', '2 h 5 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
