"""The document of a race: the recipes, best first, with their curves over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sevensteps import __version__
from sevensteps.metrics import LOWER_IS_BETTER
from sevensteps.record.run_folder import nan_to_null
from sevensteps.render.text import count_text
from sevensteps.view.document.curves import curve
from sevensteps.view.document.numbers import (
    RUNS,
    SCHEMA,
    figures,
    finite,
    metric_title,
    pack_numbers,
    readable,
)

Document = dict[str, Any]
History = Sequence[Mapping[str, Any]]
DRAWN = 16  # recipes with a curve


def race_document(content: Mapping[str, Any], histories: Sequence[History]) -> Document:
    """The document of a race: `content` is that of race.json, `histories` those of its runs."""
    metric, table = str(content["metric"]), list(content["table"])
    runs = content["runs"]
    document: Document = {
        "schema": SCHEMA,
        "kind": "race",
        "title": f"Race on {content['data']}",
        "subtitle": f"{count_text(len(table), 'recipe')}, {count_text(len(runs), 'training')}",
        "made": content["finished"],
        "version": __version__,
        "figures": _figures(table, metric),
        "race": {
            "metric": metric,
            "higher": not LOWER_IS_BETTER.get(metric, False),
            "runs": [_row(row, metric, runs, table[0]["metric"]) for row in table[:RUNS]],
            "notes": _notes(table, metric),
        },
        "curves": [
            entry for row in table[:DRAWN] if (entry := _curve(row, metric, histories)) is not None
        ],
    }
    plain: Document = readable(nan_to_null(document))
    return plain


def _figures(table: Sequence[Mapping[str, Any]], metric: str) -> list[Document]:
    best = table[0]
    rows = [
        (f"best {metric_title(metric)}", best["metric"], ""),
        ("best recipe", best["label"], ""),
    ]
    return figures(rows)


def _row(
    row: Mapping[str, Any], metric: str, runs: Sequence[Mapping[str, Any]], best: float | None
) -> Document:
    changes = dict(row["changes"])
    content: Document = {
        "name": row["label"],
        # the label says them, unless it is cut
        "changes": {} if row["label"] == ", ".join(changes.values()) else changes,
        "metrics": {metric: finite(row["metric"]), "loss": finite(row["loss"])},
        "seeds": len(row["members"]),
        "interval": _interval(row["interval"], metric, best),
    }
    notes = []
    if row["p"] is not None:
        notes.append(f"p = {row['p']:.2g} against the best")
    found = sorted({name for member in row["members"] for name in runs[member - 1]["findings"]})
    if found:
        notes.append(", ".join(found).replace("_", " "))
    rules = {rule: count for rule, count in row["stops"].items() if rule not in ("epochs",)}
    notes += [f"stopped by {rule}" for rule in rules]
    if notes:
        content["note"] = "; ".join(notes)
    return content


def _interval(
    behind: Sequence[float] | None, metric: str, best: float | None
) -> list[float | None] | None:
    """Where the metric of a recipe lies with 95 % confidence, as far as it is behind the best."""
    if behind is None or best is None:
        return None
    low, high = behind
    ends = (best - high, best - low) if LOWER_IS_BETTER.get(metric) else (best + low, best + high)
    return [finite(end) for end in ends]


def _notes(table: Sequence[Mapping[str, Any]], metric: str) -> list[str]:
    if len(table) < 2:
        return []
    second = table[1]
    if second["interval"] is None:
        return ["One seed each: another seed may give another order. More: --seeds 5"]
    low, high = second["interval"]
    if low <= 0 <= high:
        return [f"The second is as good within its 95 % interval: {low:+.3g} to {high:+.3g}."]
    return [
        f"The second is behind by {-second['behind']:.3g} of {metric}, {low:+.3g} to {high:+.3g}."
    ]


def _curve(row: Mapping[str, Any], metric: str, histories: Sequence[History]) -> Document | None:
    """The mean over the seeds by step, and their range."""
    own = [histories[member - 1] for member in row["members"] if member <= len(histories)]
    own = [history for history in own if history]
    if not own:
        return None
    count = min(map(len, own))
    steps = [entry["step"] for entry in own[0][:count]]
    values = [[entry["valid"].get(metric) for entry in history[:count]] for history in own]
    columns = [
        [value for value in column if value is not None and math.isfinite(value)]
        for column in zip(*values, strict=True)
    ]
    means = [sum(column) / len(column) if column else None for column in columns]
    entry = curve(row["label"], metric, list(zip(steps, means, strict=True)))
    entry["behind"] = sum(map(len, own))
    entry["run"] = row["label"]
    if len(own) > 1 and "range" not in entry:
        entry["spread"] = {
            "low": pack_numbers([min(column, default=None) for column in columns]),
            "high": pack_numbers([max(column, default=None) for column in columns]),
            "seeds": len(own),
        }
    return entry
