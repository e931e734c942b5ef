"""From what the contestants measured to medians, ratios and a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.speed.cases import OURS, WATCHED, Case

SAME = 0.015  # accuracies that differ by more are not of the same work


@dataclass(frozen=True)
class Row:
    """A contestant in a case: seconds an epoch (median, lowest and highest of the rounds), and how
    many times ours that is.

    `ratio` is the median of the ratios within a round, where both were measured one shortly after
    the other. It is nan where no round has both; `failure` says why."""

    contestant: str
    version: str
    seconds: float
    low: float
    high: float
    ratio: float
    accuracy: float
    spread: float = 0.0  # of the accuracies, highest minus lowest
    target: float | None = None
    failure: str = ""

    @property
    def missed(self) -> bool:
        """Whether there is a target that was not reached, or not shown to be."""
        return self.target is not None and not self.ratio >= self.target


Measured = Mapping[str, Any]  # what a contestant returns, or {"failure": why}


def seconds(measured: Measured) -> float:
    """Seconds an epoch in one process: the median without the first epoch, which warms up."""
    timed = measured["seconds_per_epoch"][1:]
    return median(timed)


def summarize(case: Case, rounds: Sequence[Mapping[str, Measured]]) -> list[Row]:
    """A row for each contestant of `case`, ours first, from rounds of {contestant: what it
    measured}.
    """
    return [_row(name, case.targets.get(name), rounds) for name in case.contestants]


def _row(name: str, target: float | None, rounds: Sequence[Mapping[str, Measured]]) -> Row:
    done = [turn[name] for turn in rounds if "failure" not in turn[name]]
    failure = next((turn[name]["failure"] for turn in rounds if "failure" in turn[name]), "")
    if failure or not done:
        return Row(
            name,
            "",
            math.nan,
            math.nan,
            math.nan,
            math.nan,
            math.nan,
            target=target,
            failure=failure or "no round",
        )
    times = [seconds(measured) for measured in done]
    reached = [measured["accuracy"] for measured in done]
    ratios = [
        seconds(turn[name]) / seconds(turn[OURS]) for turn in rounds if "failure" not in turn[OURS]
    ]
    return Row(
        name,
        done[-1]["version"],
        median(times),
        min(times),
        max(times),
        median(ratios) if ratios else math.nan,
        median(reached),
        max(reached) - min(reached),
        target,
    )


def differing(rows: Iterable[Row]) -> float | None:
    """By how much the median accuracies lie apart, if by more than the same work could explain:
    than `SAME`, and than rounds differ.
    """
    reached = [(row.accuracy, row.spread) for row in rows if not row.failure]
    apart = max((accuracy for accuracy, _ in reached), default=0.0) - min(
        (accuracy for accuracy, _ in reached), default=0.0
    )
    return apart if apart > max(SAME, *(spread for _, spread in reached), 0.0) else None


def markdown(
    case: Case, epochs: int, rows: Sequence[Row], rounds: Sequence[Mapping[str, Measured]]
) -> str:
    """The table of `case`, and beneath it what a reader must know to judge it."""
    lines = [
        f"## {case.title}",
        "",
        f"`{case.name}`: SGD, lr {case.lr:g}, {epochs} timed epochs in each of {len(rounds)} "
        "rounds.",
        "",
        "| contestant | version | seconds an epoch (lowest–highest) | times ours | at least | "
        "accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        target = (
            ""
            if row.target is None
            else f"{row.target:.1f} " + ("**missed**" if row.missed else "met")
        )
        if row.failure:
            lines.append(
                f"| {row.contestant} | | failed: {row.failure.replace('|', '/')} | | {target} | |"
            )
        else:
            ratio = (
                "1"
                if row.contestant == OURS
                else "–"
                if math.isnan(row.ratio)
                else f"{row.ratio:.2f}"
            )
            lines.append(
                f"| {row.contestant} | {row.version} | {row.seconds:.4f} "
                f"({row.low:.4f}–{row.high:.4f}) | {ratio} | {target} | "
                f"{row.accuracy:.4f} ± {row.spread / 2:.4f} |"
            )
    if apart := differing(rows):
        lines += [
            "",
            f"**The accuracies differ by {100 * apart:.1f} points, more than {100 * SAME:.1f} and "
            "more than rounds do: "
            "not the same work.**",
        ]
    walls = {
        name: median(turn[name]["wall_seconds"] for turn in rounds)
        for name in (OURS, WATCHED)
        if all("wall_seconds" in turn[name] for turn in rounds)
    }
    if walls:
        lines += [
            "",
            f"The whole call of `ss.train`, {epochs + 1} epochs with set-up and an evaluation "
            "after each (median): "
            f"{', '.join(f'{name} {wall:.2f} s' for name, wall in walls.items())}.",
        ]
    return "\n".join(lines)


def verdict(tables: Mapping[str, Sequence[Row]]) -> str:
    """How many targets were met, and which were not."""
    aimed = [(case, row) for case, rows in tables.items() for row in rows if row.target is not None]
    missed = [
        f"{case} against {row.contestant} "
        f"({'failed' if math.isnan(row.ratio) else f'{row.ratio:.2f}'} of {row.target:.1f})"
        for case, row in aimed
        if row.missed
    ]
    return f"{len(aimed) - len(missed)} of {len(aimed)} targets met." + (
        f" Missed: {'; '.join(missed)}." if missed else ""
    )
