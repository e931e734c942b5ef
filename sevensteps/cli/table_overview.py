"""How the columns of a table are printed: what they hold, their gaps, what is suspicious."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from sevensteps.cli.output import print_json, table

if TYPE_CHECKING:
    from rich.console import Console

    from sevensteps.data.table.overview import TableOverview

MAX_COLUMNS = 60  # that are listed; the rest is only counted


def table_overview(files: Any) -> TableOverview | None:
    """The columns of a table in a file; None for other data."""
    if not hasattr(files, "table") or not hasattr(files, "missing"):
        return None
    from sevensteps.data.table.overview import overview_of
    from sevensteps.data.table.table_to_data import check_columns

    table = files.table()
    check_columns(table, files)
    return overview_of(table, files)


def print_overview(console: Console, name: str, overview: TableOverview, as_json: bool) -> None:
    """The columns of a table, and how to train on it."""
    from rich.text import Text

    if as_json:
        print_json(overview.to_dict())
        return
    count = len(overview.columns)
    console.print(
        Text.assemble((overview.where, "bold"), f": {overview.rows:,} rows, {count:,} columns\n")
    )
    console.print(
        table(
            (
                [
                    Text(column.name, "bold"),
                    column.kind,
                    f"{column.different:,}",
                    f"{column.gaps:,}" if column.gaps else "",
                    column.content,
                    Text(column.remark, "yellow"),
                ]
                for column in overview.columns[:MAX_COLUMNS]
            ),
            header=["column", "kind", "different", "gaps", "content", "remark"],
            right=(2, 3),
        )
    )
    if count > MAX_COLUMNS:
        console.print(f"and {count - MAX_COLUMNS:,} more columns")
    for note in overview.notes:
        console.print(f"\n{note}")
    if not overview.is_chosen:
        console.print(
            f"\nThe column to predict may be {overview.target}; {overview.reason}:\n"
            f"  {shlex.join(['sevensteps', 'train', name, '--target', overview.target])}"
        )
    console.print()
