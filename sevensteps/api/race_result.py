"""What a race answers: its runs, the table that compares them, and how they are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sevensteps.api.run import Run
from sevensteps.racing.grouping import LockstepPlan
from sevensteps.racing.leaderboard import LeaderboardRow
from sevensteps.training.recipe import Recipe

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Race:
    """Many trainings and how they compare: `runs` in the order of the recipes, and `table` with a
    row for each recipe, best first.

    `recipe` is the one of the best row, `best` the best of its runs. `folder` has a run folder for
    each run. `groups` are the networks that were trained together. `missing` are the places in the
    list of the recipes that have no run, because a race on Ray was interrupted.
    """

    runs: list[Run]
    table: list[LeaderboardRow]
    groups: list[LockstepPlan]
    folder: Path | None = None
    missing: Sequence[int] = ()

    @property
    def best(self) -> Run:
        """The best run of the best recipe."""
        from sevensteps.metrics import score

        return max(
            (self.runs[member] for member in self.table[0].members),
            key=lambda run: score(run.metrics["valid"]),
        )

    @property
    def recipe(self) -> Recipe:
        """The best recipe, with the first of its seeds."""
        return self.runs[self.table[0].members[0]].recipe

    @property
    def examined(self) -> list[str]:
        """Of each run, why the doctor examined it in full; "" where it did not. `ss.diagnose(run)`
        examines any other that was watched.
        """
        return [
            ""
            if (watched := run.outcome.watched) is None or watched.get("examined") is False
            else watched.get("because", "all are")
            for run in self.runs
        ]

    @property
    def metric(self) -> str:
        """The metric that the recipes are compared by, on the validation data at the end:
        accuracy, r2 or loss.
        """
        from sevensteps.metrics import primary

        return primary(self.runs[0].metrics["valid"])

    def plot(self, path: Path | str | None = None) -> Any:
        """Draw the metric of each recipe by epoch: a matplotlib figure, also saved to `path` (.png
        or .svg).

        A line is the mean over the seeds, the band around it their range. Raises `ArgumentError`
        where matplotlib is not installed.
        """
        from sevensteps.racing.figure import plot_race

        values = [
            [
                math.nan if row["valid"][self.metric] is None else row["valid"][self.metric]
                for row in run.history
            ]
            for run in self.runs
        ]
        return plot_race(
            self.table,
            values,
            self.metric,
            f"{self.recipe.source}: {len(self.runs)} trainings",
            path,
        )

    def report(self, path: Path | str) -> Path:
        """Write the race as one HTML file that opens anywhere, and return its path.

        Raises `ArgumentError` where `path` does not end in .html.
        """
        from sevensteps.view.report import require_html, write_report

        require_html(Path(path))
        return write_report(self.document(), path)

    def document(self) -> dict[str, Any]:
        """What a page shows of the race, as plain JSON."""
        from sevensteps.view.document.race import race_document

        return race_document(self.to_dict(), [run.history for run in self.runs])

    def _repr_html_(self) -> str:
        return str(self._repr_mimebundle_()["text/html"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from sevensteps.view.notebook import remembered, show_document

        def show() -> dict[str, Any]:
            return show_document(self.document, repr(self), self.plot)

        def state() -> list[str]:
            return [repr(run.diagnosis) for run in self.runs]  # which may yet be examined

        return remembered.show(self, state, show)

    def to_dict(self) -> dict[str, Any]:
        """The content of `race.json` and `--json`; members are numbered from 1, in the order of
        the runs.
        """
        best = self.best.folder
        return {
            "schema": SCHEMA,
            "race": self.folder and self.folder.name,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": self.recipe.source,
            "metric": self.metric,
            "recipe": {step: repr(value) for step, value in self.recipe.steps.items()},
            "best": best and best.name,
            "table": [{**row.to_dict(), "members": _numbered(row.members)} for row in self.table],
            "groups": [
                {
                    "members": _numbered(group.numbers),
                    "own_order": group.own_order,
                    "why_alone": group.why_alone,
                }
                for group in self.groups
            ],
            "missing": _numbered(self.missing),
            "runs": [
                {
                    "run": run.folder and run.folder.name,
                    "seed": run.recipe.seed,
                    "stop": asdict(run.outcome.stop),
                    "epochs": run.outcome.epochs,
                    "seconds": run.outcome.seconds,
                    "valid": run.metrics["valid"],
                    "findings": [finding.condition for finding in run.findings],
                    "examined": bool(why),
                }
                for run, why in zip(self.runs, self.examined, strict=True)
            ],
        }

    def __repr__(self) -> str:
        row = self.table[0]
        where = f", folder={str(self.folder)!r}" if self.folder else ""
        return (
            f"<Race of {len(self.runs)} on {self.recipe.source}: best {row.label}, "
            f"{self.metric} {row.metric:.4f}{where}>"
        )


def _numbered(members: Sequence[int]) -> list[int]:
    return [member + 1 for member in members]
