"""Which column of a table is most likely the one to predict."""

from __future__ import annotations

from sevensteps.data.table.column_inference import ColumnInference, ReadingOptions, is_identifier
from sevensteps.data.table.table import Table

NAMES = (  # of columns that are there to be predicted, the surest first
    *("target", "label", "class", "outcome", "response", "y", "species", "survived", "churn"),
    *("diagnosis", "status", "default", "result", "category", "type", "quality", "price", "score"),
)
MAX_CLASSES = 20


def suggested_target(table: Table) -> str:
    """A column that is called like a target, else the last that holds classes or amounts."""
    usable = [name for name in table.names if name not in table.unusable]
    inferences = {name: ColumnInference(name, ReadingOptions(lenient=True)) for name in usable}
    for block in table.blocks(usable):
        for name, inference in inferences.items():
            inference.add(block[name])
    fit = [name for name in usable if can_be_target(inferences[name])]
    lowered = {name.lower(): name for name in reversed(fit)}
    called = next((lowered[name] for name in NAMES if name in lowered), None)
    return called or (fit or table.names)[-1]


def can_be_target(inference: ColumnInference) -> bool:
    """Whether a column holds classes, or amounts that differ."""
    distinct, style = len(inference.counts), inference.style()
    if distinct < 2 or (is_identifier(inference.name) and inference.useless()):
        return False
    if style is None:
        return distinct <= min(MAX_CLASSES, inference.present_cells / 2)
    return style[0] != "date"
