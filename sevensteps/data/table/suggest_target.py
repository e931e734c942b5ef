"""Which column of a table is most likely the one to predict, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from sevensteps.data.table.column_inference import ColumnInference, ReadingOptions, is_identifier
from sevensteps.data.table.table import Table

NAMES = (  # of columns that are there to be predicted, the surest first
    *("target", "label", "class", "outcome", "response", "y", "species", "survived", "churn"),
    *("diagnosis", "status", "default", "result", "category", "type", "quality", "price", "score"),
)
MAX_CLASSES = 20
SHORTEST = 3  # letters of a name that says something


@dataclass(frozen=True)
class Suggestion:
    """A column to predict, and why it is suggested, as the end of a sentence."""

    column: str
    reason: str


def suggested_target(table: Table) -> Suggestion:
    """A column that is called like a target, or like the file, else the last that holds classes or
    amounts; not one of several that say yes for one class each.
    """
    usable = [name for name in table.names if name not in table.unusable]
    inferences = {name: ColumnInference(name, ReadingOptions(lenient=True)) for name in usable}
    for block in table.blocks(usable):
        for name, inference in inferences.items():
            inference.add(block[name])
    fit = [name for name in usable if can_be_target(inferences[name])]
    lowered = {name.lower(): name for name in reversed(fit)}
    if called := next((lowered[name] for name in NAMES if name in lowered), None):
        return Suggestion(called, "targets are often called so")
    title = PurePath(table.where).stem.lower()
    words = {title, *re.split(r"[^a-z0-9]+", title)}
    alike = [name for low, name in lowered.items() if len(low) >= SHORTEST and low in words]
    if named := next(iter(alike), None):
        return Suggestion(named, "the file is called so")
    one_hot = _one_hot_group([inferences[name] for name in usable])
    rest = [name for name in fit if name not in one_hot]
    if one_hot and rest:
        return Suggestion(
            rest[-1], f"it is the last before {', '.join(one_hot)}, which mark one class each"
        )
    return Suggestion(
        (fit or table.names)[-1], "it is the last column that holds classes or amounts"
    )


def _one_hot_group(inferences: list[ColumnInference]) -> list[str]:
    """The last columns, if they hold 0 and 1 and each row could have its 1 in one of them."""
    for count in range(2, len(inferences) + 1):
        group = inferences[-count:]
        ones = [_ones(inference) for inference in group]
        if None in ones:
            break
        if sum(one for one in ones if one is not None) == group[0].rows:
            return [inference.name for inference in group]
    return []


def _ones(inference: ColumnInference) -> int | None:
    """How many cells are 1; None where others than 0 and 1 are there."""
    counts = {str(cell).strip().removesuffix(".0"): n for cell, n in inference.counts.items()}
    return counts.get("1", 0) if set(counts) <= {"0", "1"} and counts else None


def can_be_target(inference: ColumnInference) -> bool:
    """Whether a column holds classes, or amounts that differ."""
    distinct, style = len(inference.counts), inference.style()
    if distinct < 2 or (is_identifier(inference.name) and inference.useless()):
        return False
    if style is None:
        return distinct <= min(MAX_CLASSES, inference.present_cells / 2)
    return style[0] != "date"
