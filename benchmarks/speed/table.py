"""From what the contestants measured to medians, ratios and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.speed.cases import OURS, Case

SAME = 0.015  # accuracies that differ by more are not of the same work
KINDS = ("epoch", "call")  # what is timed of a case
WORDS = {"epoch": "epoch", "call": "whole call"}
Measured = Mapping[str, Any]  # what a contestant returns, {"failure": why} or {"skipped": why}


@dataclass(frozen=True)
class Timing:
    """Seconds, median, lowest and highest of the rounds, and how many times ours they are.

    `ratio` is the median of the ratios within a round, where both were measured one shortly after
    the other; None where no round has both."""

    seconds: float
    low: float
    high: float
    ratio: float | None

    @property
    def text(self) -> str:
        return f"{self.seconds:.4f} ({self.low:.4f}–{self.high:.4f})"


@dataclass(frozen=True)
class Row:
    """A contestant in a case: its timings, `epoch` alone or `first` and `second` whole call, and
    the accuracy reached; or none of them, and why it failed or was skipped.
    """

    contestant: str
    version: str = ""
    timings: Mapping[str, Timing] = field(default_factory=dict)
    accuracy: float | None = None
    spread: float = 0.0  # of the accuracies, highest minus lowest
    failure: str = ""
    skipped: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times ours, by the timing that is less kind to ours."""
        ratios = [timing.ratio for timing in self.timings.values()]
        return min((r for r in ratios if r is not None), default=None) if all(ratios) else None

    def missed(self, target: float | None) -> bool:
        """Whether there is a target that was not reached, or not shown to be."""
        return target is not None and not (self.ratio is not None and self.ratio >= target)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**vars(self), "timings": {name: vars(t) for name, t in self.timings.items()}}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Row:
        return cls(**{**row, "timings": {name: Timing(**t) for name, t in row["timings"].items()}})


def by_epoch(measured: Measured) -> dict[str, float]:
    """Seconds an epoch in one process: the median without the first epoch, which warms up."""
    return {"epoch": median(measured["seconds_per_epoch"][1:])}


def by_call(measured: Measured) -> dict[str, float]:
    """Seconds of the first whole call in a process and of the second."""
    return {"first": measured["first"], "second": measured["second"]}


def summarize(
    contestants: Sequence[str],
    rounds: Sequence[Mapping[str, Measured]],
    seconds: Callable[[Measured], dict[str, float]],
) -> list[Row]:
    """A row for each of `contestants`, ours first, from rounds of {contestant: what it measured};
    `seconds` names the timings of one measurement. Not everyone takes part in every round.
    """
    return [_row(name, [turn for turn in rounds if name in turn], seconds) for name in contestants]


def _row(
    name: str,
    rounds: Sequence[Mapping[str, Measured]],
    seconds: Callable[[Measured], dict[str, float]],
) -> Row:
    for trouble in ("failure", "skipped"):
        for turn in rounds:
            if trouble in turn[name]:
                return Row(name, **{trouble: str(turn[name][trouble])})
    each = [seconds(turn[name]) for turn in rounds]
    ours = [None if "failure" in turn[OURS] else seconds(turn[OURS]) for turn in rounds]
    timings = {}
    for key in each[0]:
        taken = [one[key] for one in each]
        ratios = [t / o[key] for t, o in zip(taken, ours, strict=True) if o is not None]
        timings[key] = Timing(
            median(taken), min(taken), max(taken), median(ratios) if ratios else None
        )
    reached = [turn[name]["accuracy"] for turn in rounds]
    return Row(
        name,
        rounds[-1][name]["version"],
        timings,
        median(reached),
        max(reached) - min(reached),
    )


def differing(rows: Iterable[Row]) -> float | None:
    """By how much the median accuracies lie apart, if by more than the same work could explain:
    than `SAME`, and than rounds differ.
    """
    reached = [(row.accuracy, row.spread) for row in rows if row.accuracy is not None]
    apart = max((accuracy for accuracy, _ in reached), default=0.0) - min(
        (accuracy for accuracy, _ in reached), default=0.0
    )
    return apart if apart > max(SAME, *(spread for _, spread in reached), 0.0) else None


def preparing(names: Sequence[str], rounds: Sequence[Mapping[str, Measured]]) -> str:
    """Who takes longer than a hundredth of a second to bring the arrays into its own form, before
    the clock of a whole call starts; "" if nobody does.
    """
    taken = {
        name: median(seconds)
        for name in names
        if (seconds := [t[name]["prepared"] for t in rounds if "prepared" in t.get(name, {})])
    }
    slow = [f"{name} {seconds:.2f} s" for name, seconds in taken.items() if seconds > 0.01]
    return (
        f"Before the clock, arrays into the library's own form: {', '.join(slow)}." if slow else ""
    )


def piece(
    rows: Sequence[Row],
    *,
    date: str,
    load: float | None,
    rounds: int,
    epochs: int,
    note: str = "",
) -> dict[str, Any]:
    """What is stored of a case: when and how it was measured, and the rows."""
    return {
        "date": date,
        "load": load,
        "rounds": rounds,
        "epochs": epochs,
        "note": note,
        "rows": [row.to_dict() for row in rows],
    }


def rows_of(stored: Mapping[str, Any] | None) -> list[Row]:
    """The rows of a stored piece; none where there is none."""
    return [] if stored is None else [Row.from_dict(row) for row in stored["rows"]]


def markdown(case: Case, pieces: Mapping[str, Mapping[str, Any]], heading: str = "##") -> str:
    """The table of `case` from its stored pieces, `epoch` and `call`, and beneath it what a reader
    must know to judge it.
    """
    epoch, call = ({row.contestant: row for row in rows_of(pieces.get(kind))} for kind in KINDS)
    head = ["contestant", "version"]
    rest = ["times ours", "at least", "accuracy"]
    head += ["seconds an epoch (lowest–highest)", *rest] if epoch else []
    head += ["whole call, s: first · second", *rest] if call else []
    lines = [
        f"{heading} {case.title}",
        "",
        f"`{case.name}`: SGD, lr {case.lr:g}. {' '.join(map(_measured, _in_order(pieces)))}",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for name in dict.fromkeys([*epoch, *call]):
        cells = [name, (epoch.get(name) or call[name]).version]
        if epoch:
            cells += _cells(epoch.get(name), case.targets.get(name))
        if call:
            cells += _cells(call.get(name), case.call_targets.get(name))
        lines.append(f"| {' | '.join(cells)} |")
    for kind, rows in zip(KINDS, (epoch, call), strict=True):
        if apart := differing(rows.values()):
            lines += [
                "",
                f"**The accuracies of the {WORDS[kind]}s differ by {100 * apart:.1f} points, more "
                f"than {100 * SAME:.1f} and more than rounds do: not the same work.**",
            ]
    lines += [
        line
        for stored in pieces.values()
        for line in ("", stored.get("note"))
        if stored.get("note")
    ]
    return "\n".join(lines)


def times(rounds: int) -> str:
    """`1 round`, `3 rounds`."""
    return f"{rounds} round{'s' * (rounds != 1)}"


def _in_order(pieces: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(kind, pieces[kind]) for kind in KINDS if kind in pieces]


def _measured(kind_and_piece: tuple[str, Mapping[str, Any]]) -> str:
    """How a piece was measured, in a sentence."""
    kind, stored = kind_and_piece
    what = (
        f"{stored['epochs']} timed epochs"
        if kind == "epoch"
        else f"whole calls of {stored['epochs']} epochs, two in a process"
    )
    load = "unknown" if stored["load"] is None else f"{stored['load']:.1f}"
    return (
        f"{what[0].upper()}{what[1:]}, {times(stored['rounds'])} on {stored['date']}, "
        f"load average before: {load}."
    )


def _cells(row: Row | None, target: float | None) -> list[str]:
    """Seconds, times ours, the target and the accuracy."""
    if row is None:
        return [""] * 4
    aim = (
        "" if target is None else f"{target:.1f} " + ("**missed**" if row.missed(target) else "met")
    )
    if row.failure or row.skipped:
        why = f"failed: {row.failure}" if row.failure else f"not taken part: {row.skipped}"
        return [why.replace("|", "/"), "", aim, ""]
    seconds = [
        timing.text if len(row.timings) == 1 else f"{timing.seconds:.3f}"
        for timing in row.timings.values()
    ]
    ratios = [
        "–" if timing.ratio is None else f"{timing.ratio:.2f}" for timing in row.timings.values()
    ]
    factor = "1" if row.contestant == OURS else " · ".join(ratios)
    accuracy = f"{row.accuracy:.4f} ± {row.spread / 2:.4f}"
    return [" · ".join(seconds), factor, aim, accuracy]


def targets(case: Case, pieces: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
    """Each target of what was measured of `case`, with the ratio reached, and whether it is met."""
    answers = {}
    for kind, aims in (("epoch", case.targets), ("call", case.call_targets)):
        for row in rows_of(pieces.get(kind)):
            if row.contestant in aims:
                reached = "failed" if row.ratio is None else f"{row.ratio:.2f}"
                what = f"{case.name}, {WORDS[kind]}"
                aim = aims[row.contestant]
                text = f"{what} against {row.contestant} ({reached} of {aim:.1f})"
                answers[text] = not row.missed(aim)
    return answers


def verdict(answers: Mapping[str, bool]) -> str:
    """How many targets were met, and which were not."""
    missed = [what for what, met in answers.items() if not met]
    return f"{len(answers) - len(missed)} of {len(answers)} targets met." + (
        f" Missed: {'; '.join(missed)}." if missed else ""
    )
