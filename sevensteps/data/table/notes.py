"""What was done to a table before it was trained on: a line each, with the option that changes
it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sevensteps.data.table.column_encoding import Column
from sevensteps.data.table.column_inference import ColumnInference
from sevensteps.data.table.options import TableOptions
from sevensteps.data.table.table import Table
from sevensteps.data.table.targets import Targets
from sevensteps.errors import option

MOST = 6  # columns that a line names
CYCLE_WORDS = {"year": "season", "week": "weekday", "day": "hour"}
FEW_LEFT = 0.5  # of the rows: where less is left, that comes first


def notes_of(
    table: Table,
    options: TableOptions,
    targets: Targets,
    inferences: list[ColumnInference],
    columns: list[Column],
    left_out: dict[str, str],
    comma: bool,
    incomplete: int,
) -> tuple[str, ...]:
    """The lines about this table, the most telling first."""
    return (
        *table.notes,
        *_rows(targets, incomplete),
        *_gaps(options, inferences, columns),
        *_left_out(left_out),
        *_grouped(inferences, columns),
        *_notations(options, inferences, columns, comma),
    )


def _rows(targets: Targets, incomplete: int) -> list[str]:
    """The rows that are left out, of how many, and what keeps them."""
    rows, without = len(targets.used), int((~targets.used).sum())
    lines = [f"left out {without:,} of {_count(rows, 'row')}, without {targets.name}"]
    lines = lines if without else []
    if incomplete:
        keep = f"{option('missing', 'fill')} keeps them"
        lines.append(f"left out {incomplete:,} of {_count(rows, 'row')}, with gaps; {keep}")
    if (left := rows - without - incomplete) < rows * FEW_LEFT:
        lines.insert(0, f"only {left:,} of {_count(rows, 'row')} can be used")
    return lines


def _gaps(
    options: TableOptions, inferences: list[ColumnInference], columns: list[Column]
) -> list[str]:
    lines, filled = [], options.missing == "fill"
    both = list(zip(inferences, columns, strict=True))
    numeric = {i.name: i.gaps for i, c in both if i.gaps and c.kind != "category" and filled}
    texts = {i.name: i.gaps for i, c in both if i.gaps and c.kind == "category" and filled}
    change = f" ({option('missing', 'drop')} leaves the rows out)"
    if numeric:
        flagged = any(column.flag for column in columns)
        lines.append(
            f"filled {_count(sum(numeric.values()), 'gap')} in {_names(numeric)} with the mean"
            + (", marked by an extra input" if flagged else "")
            + change
        )
    if texts:
        lines.append(
            f"treated {_count(sum(texts.values()), 'gap')} in {_names(texts)} as 'no value'"
            + ("" if numeric else change)
        )
    for inference, column in both:
        if column.lenient:
            style = (column.kind, column.style)
            _, text = inference.odd_cells[style]
            lines.append(
                f"took {_count(inference.odd_count(style), 'cell')} of {column.name} for gaps, as "
                f"'{text}' is no {column.kind}"
            )
    return lines


def _left_out(left_out: dict[str, str]) -> list[str]:
    if not left_out:
        return []
    reasons = [f"{name} ({reason})" for name, reason in list(left_out.items())[:MOST]]
    more = f" and {len(left_out) - MOST} more" if len(left_out) > MOST else ""
    return [
        f"left out {', '.join(reasons)}{more}; take one in with "
        f"{option('keep', next(iter(left_out)))}"
    ]


def _grouped(inferences: list[ColumnInference], columns: list[Column]) -> list[str]:
    grouped = {
        column.name: len(inference.counts) - len(column.values)
        for inference, column in zip(inferences, columns, strict=True)
        if column.others
    }
    if not grouped:
        return []
    counts = ", ".join(f"{count:,} of {name}" for name, count in grouped.items())
    return [f"grouped rare texts as one value, other: {counts}"]


def _notations(
    options: TableOptions, inferences: list[ColumnInference], columns: list[Column], comma: bool
) -> list[str]:
    lines = []
    marked = [column.name for column in columns if column.kind == "number" and column.style]
    if marked:
        mark = "comma" if comma else "point"
        lines.append(f"read {_names(marked)} as numbers with a decimal {mark}")
    both = [
        inference.name
        for inference in inferences
        if inference.is_ambiguous_date() and options.dates == "auto"
    ]
    if both:
        order, other = ("day", "month_first") if comma else ("month", "day_first")
        lines.append(
            f"read the dates of {_names(both)} with the {order} first "
            f"({option('dates', other)} for the other way)"
        )
    cycles = [column.name for column in columns if column.calendar]
    if cycles:
        present = {cycle for column in columns for cycle in column.calendar}
        parts = [word for cycle, word in CYCLE_WORDS.items() if cycle in present]
        words = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
        lines.append(f"made inputs of the calendar from {_names(cycles)}: {words}")
    return lines


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:MOST]) + (
        f" and {len(listed) - MOST} more columns" if len(listed) > MOST else ""
    )


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("s" if count != 1 else "")
