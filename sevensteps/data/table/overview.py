"""What a table holds, before anything is trained on it.

Its columns, their gaps, what is suspicious, and which column may be the one to predict.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from sevensteps.data.table.cell_parsing import Kind, format_cell
from sevensteps.data.table.cells import Cells, concatenate_cells
from sevensteps.data.table.column_inference import ColumnInference, is_identifier
from sevensteps.data.table.options import TableOptions
from sevensteps.data.table.suggest_target import suggested_target
from sevensteps.data.table.table import Table
from sevensteps.data.table.table_to_data import infer_columns
from sevensteps.render.text import raw_text

ROWS = 20_000  # that are looked at for what tells the target
FEW = 30  # different values of a column that may each stand for one target
SAME = 0.999  # of the rows, or of the ranks, that a column tells of the target


@dataclass(frozen=True)
class ColumnOverview:
    """One column: what it is of ("number", "yes or no", "date", "text", or why it is no input), how
    many different cells it has and how many are missing, its range or most frequent texts, and what
    is suspicious about it.
    """

    name: str
    kind: str
    different: int
    gaps: int
    content: str
    remark: str


@dataclass(frozen=True)
class TableOverview:
    """A table: how many rows it has, its columns, what was noted on reading it, and the column to
    predict, that which was asked for or else the likeliest, with the `reason`.
    """

    where: str
    rows: int
    columns: tuple[ColumnOverview, ...]
    notes: tuple[str, ...]
    target: str
    is_chosen: bool
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The overview as JSON can hold it."""
        return {
            "file": self.where,
            "rows": self.rows,
            "columns": [vars(column) for column in self.columns],
            "notes": list(self.notes),
            "target": self.target,
            "suggested": not self.is_chosen,
            "reason": self.reason,
        }


def overview_of(table: Table, options: TableOptions) -> TableOverview:
    """Look at a table. Raises `DataError` for one that cannot be read; never for gaps."""
    usable = [name for name in table.names if name not in table.unusable]
    inferences = {column.name: column for column in infer_columns(table, usable, options)}
    comma = table.may_have_commas or any(column.has_decimal_comma for column in inferences.values())
    is_chosen = options.target in table.names
    target, reason = options.target or "", ""
    if not is_chosen:
        suggestion = suggested_target(table)
        target, reason = suggestion.column, suggestion.reason
    told = _tells(table, inferences, target, comma)
    columns = tuple(
        _describe(inferences[name], comma, told.get(name, ""), options)
        if name in inferences
        else ColumnOverview(name, "no input", 0, 0, "", table.unusable[name])
        for name in table.names
    )
    rows = max((column.rows for column in inferences.values()), default=0)
    return TableOverview(table.where, rows, columns, table.notes, target, is_chosen, reason)


def _describe(
    inference: ColumnInference, comma: bool, told: str, options: TableOptions
) -> ColumnOverview:
    style = inference.style(comma)
    words: dict[Kind, str] = {"number": "number", "flag": "yes or no", "date": "date"}
    remarks = [told] if told else []
    if inference.name in options.drop:
        remarks.insert(0, "left out, as asked")
    elif (reason := inference.useless(comma)) and inference.name not in options.keep:
        remarks.insert(0, f"left out: {reason}")
    elif (
        is_identifier(inference.name)
        and len(inference.counts) > inference.present_cells / 2
        and not _has_fractions(inference, comma)
    ):
        remarks.append("an identifier?")
    if style is not None and (odd := inference.odd_count(style)):
        remarks.append(f"{odd:,} cells are no {style[0]}, as '{inference.odd_cells[style][1]}'")
    if inference.is_ambiguous_date() and options.dates == "auto":
        remarks.append("day or month first?")
    return ColumnOverview(
        inference.name,
        "text" if style is None else words[style[0]],
        len(inference.counts),
        inference.gaps,
        _content(inference, comma),
        "; ".join(remarks),
    )


def _has_fractions(inference: ColumnInference, comma: bool) -> bool:
    """Whether it has numbers that are not whole, which is what is measured, and names no row."""
    style = inference.style(comma)
    if style is None or style[0] != "number":
        return False
    numbers = inference.numbers(style)
    return bool((numbers[~numpy.isnan(numbers)] % 1 != 0).any())


def _content(inference: ColumnInference, comma: bool) -> str:
    style = inference.style(comma)
    if not inference.present_cells:
        return ""
    if style is None or style[0] == "flag":
        texts = [str(text) for text, _ in inference.counts.most_common(4)]
        more = ", …" if len(inference.counts) > 4 else ""
        return ", ".join(textwrap.shorten(text, 20, placeholder="…") for text in texts) + more
    numbers = inference.numbers(style)
    numbers = numbers[~numpy.isnan(numbers)]
    if style[0] == "date":
        low, high = (format_cell(float(day), "date") for day in (numbers.min(), numbers.max()))
        return f"{low} to {high}"
    low, high = (raw_text(float(number)) for number in (numbers.min(), numbers.max()))
    return f"{low} to {high}"


def _tells(
    table: Table, inferences: dict[str, ColumnInference], target: str, comma: bool
) -> dict[str, str]:
    """The columns that tell the target alone, which may be known only when the target is, and how
    they do.
    """
    if target not in inferences:
        return {}
    blocks: dict[str, list[Cells]] = defaultdict(list)
    rows = 0
    for block in table.blocks(list(inferences)):
        for name, cells in block.items():
            blocks[name].append(cells)
        rows += len(block[target])
        if rows >= ROWS:
            break
    cells_of = {name: concatenate_cells(cells) for name, cells in blocks.items()}
    y_style = inferences[target].style(comma)
    is_amount = y_style is not None and len(inferences[target].counts) > FEW
    told = {}
    for name, inference in inferences.items():
        if name == target or inference.useless(comma):
            continue
        style = inference.style(comma)
        if is_amount and style is not None and y_style is not None:
            x, y = cells_of[name].numbers(*style), cells_of[target].numbers(*y_style)
            if _same_order(x, y):
                told[name] = f"tells {target}: the one rises or falls with the other"
        elif (
            not is_amount
            and len(inference.counts) <= FEW
            and len(inferences[target].counts) > 1
            and _one_each(cells_of[name], cells_of[target])
        ):
            told[name] = f"tells {target}: each of its values goes with one {target}"
    return told


def _same_order(x: NDArray[numpy.float64], y: NDArray[numpy.float64]) -> bool:
    """Whether both put the rows in the same order, or in the reverse one."""
    both = ~numpy.isnan(x) & ~numpy.isnan(y)
    if both.sum() < 20 or len(numpy.unique(x[both])) < FEW:
        return False
    a, b = (numpy.unique(values[both], return_inverse=True)[1].reshape(-1) for values in (x, y))
    return abs(float(numpy.corrcoef(a, b)[0, 1])) > SAME


def _one_each(x: Cells, y: Cells) -> bool:
    """Whether rows of one value of x have one value of y, nearly all, where there are several rows
    of each.
    """
    x, y = x.as_texts(), y.as_texts()
    both = ~x.missing & ~y.missing
    if both.sum() < 20 or both.sum() < 3 * len(x.texts):
        return False
    table = numpy.zeros((len(x.texts), len(y.texts)))
    numpy.add.at(table, (x.values[both], y.values[both]), 1)
    share = table.max(1).sum() / both.sum()
    usual = table.sum(0).max() / both.sum()
    return bool(share > SAME and share > usual + 0.05)
