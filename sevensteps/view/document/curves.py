"""The curves of a training: its losses, metrics and learning rate over the steps, and no spike
lost: where there are more steps than a curve has points, each point has the least and the largest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sevensteps.observe.loss_extremes import LossExtremes
from sevensteps.observe.observation import Observation
from sevensteps.view.document.numbers import POINTS, finite, metric_title, pack_numbers, pack_steps

Points = Sequence[tuple[int, float | None]]
Document = dict[str, Any]

PARTS = {"train": "training", "valid": "validation"}


def curve(
    name: str,
    group: str,
    points: Points,
    *,
    behind: int | None = None,
    extremes: LossExtremes | None = None,
    unit: str = "",
    log: bool = False,
) -> Document:
    """One curve: `points` are (step, value), of `behind` that there were.

    `extremes` has the least and largest of all steps, of which `points` are some.
    """
    content: Document = {"id": name.replace(" ", "-"), "name": name, "group": group, "unit": unit}
    count = len(points) if behind is None else behind
    if extremes:
        rows = _with_points(extremes, points)
        content |= _ranged(rows)
    elif len(points) > POINTS:
        content |= _ranged(_bucketed(points))
    else:
        steps, values = [step for step, _ in points], [value for _, value in points]
        content |= {"steps": pack_steps(steps), "values": pack_numbers(values)}
    content["behind"] = count
    if log:
        content["log"] = True
    return content


Row = tuple[int, float | None, float | None, float | None]  # step, value, least, largest


def _ranged(rows: Sequence[Row]) -> Document:
    return {
        "steps": pack_steps([row[0] for row in rows]),
        "values": pack_numbers([row[1] for row in rows]),
        "range": {
            "low": pack_numbers([row[2] for row in rows]),
            "high": pack_numbers([row[3] for row in rows]),
        },
    }


def _with_points(extremes: LossExtremes, points: Points) -> list[Row]:
    """A row for each bucket of `extremes`: the first loss that is known in it, least and largest.

    A loss that was not finite has a row of its own, without a value.
    """
    first: dict[int, float | None] = {}
    broken = []
    for step, value in points:
        if value is None or not math.isfinite(value):
            broken.append((step, None, None, None))
        else:
            first.setdefault(step // extremes.width, value)
    rows: list[Row] = [
        (step, first.get(step // extremes.width, low), low, high)
        for step, low, high in extremes.rows()
    ]
    return sorted([*rows, *broken[:100]], key=lambda row: row[0])


def _bucketed(points: Points) -> list[Row]:
    """Points in `POINTS` / 4 buckets, each with its first value, its least and its largest."""
    width = -(-len(points) // (POINTS // 4))
    rows: list[Row] = []
    for start in range(0, len(points), width):
        bucket = points[start : start + width]
        known = [value for _, value in bucket if value is not None and math.isfinite(value)]
        rows.append(
            (
                bucket[0][0],
                known[0] if known else None,
                min(known, default=None),
                max(known, default=None),
            )
        )
    return rows


def step_losses(observation: Observation) -> Document | None:
    """The loss of every step; None where none is known."""
    points = observation.losses
    if not points:
        return None
    behind = max(observation.steps, len(points))
    return curve(
        "loss of each step", "loss", points, behind=behind, extremes=observation.extremes
    ) | {"part": "batch", "log": is_wide(points)}


def history_curves(history: Sequence[Mapping[str, Any]]) -> list[Document]:
    """Loss and metric of both parts at each evaluation."""
    curves = []
    names = [name for name in (history[0]["valid"] if history else {}) if name != "by_class"]
    for name in names:
        for part, title in PARTS.items():
            points = [
                (row["step"], row[part].get(name)) for row in history if name in row.get(part, {})
            ]
            if any(value is not None for _, value in points):
                # the network changes while an epoch goes on, and each batch is judged by its own
                of_epoch = ", mean of the epoch" if (part, name) == ("train", "loss") else ""
                curves.append(
                    curve(f"{title} {metric_title(name)}{of_epoch}", metric_title(name), points)
                    | {"part": title}
                    | ({"log": is_wide(points)} if name == "loss" else {})
                )
    return curves


def rate_curve(rates: Points) -> Document | None:
    """The learning rate wherever it changed; None where it never did."""
    return curve("learning rate", "learning rate", rates) if len(rates) > 1 else None


def reported_curves(observation: Observation) -> list[Document]:
    """What a loop of one's own reported: evaluations, scores, and the terms of its loss."""
    curves = []
    for position, (name, group) in enumerate((("validation loss", "loss"), ("score", "score")), 1):
        points = [(row[0], row[position]) for row in observation.evaluations if row[position]]
        if points:
            curves.append(curve(name, group, points) | {"part": "validation"})
    if observation.scores:
        each = curve("score of the step", "score", observation.scores)
        curves.append(each | {"part": "batch"})
    for name, values in list(observation.parts.items())[:8]:
        curves.append(curve(f"loss term {name}", "loss terms", values))
    return curves


def level(entry: Document, value: float | None, name: str) -> None:
    """Add a level to compare a curve with, such as the answer that ignores the inputs."""
    if (number := finite(value)) is not None:
        entry.setdefault("levels", []).append({"value": number, "name": name})


def is_wide(points: Points) -> bool:
    """Whether losses span more than two decades, so that a logarithmic axis shows them better."""
    known = [value for _, value in points if value is not None and math.isfinite(value)]
    return bool(known) and min(known) > 0 and max(known) / min(known) > 100
