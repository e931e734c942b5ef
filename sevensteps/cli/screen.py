"""What the verbs share in how they print."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH = 100  # columns; longer lines are hard to read


def console() -> Console:
    """Standard output, at most `WIDTH` columns wide; nothing is coloured or read as markup that was not asked for."""
    from rich.console import Console

    made = Console(highlight=False, markup=False)
    made.width = min(made.width, WIDTH)
    return made


def table(rows: Iterable[Sequence[Any]], header: Sequence[str] = (), right: Sequence[int] = ()) -> Table:
    """Plain columns, with a dim header line where one is given; the columns numbered in `right` are aligned right."""
    from rich.table import Table

    made = Table(box=None, show_header=bool(header), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    rows = [list(row) for row in rows]
    for index in range(max(map(len, rows), default=len(header))):
        made.add_column(header[index] if header else "", justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*[cell if hasattr(cell, "__rich_console__") else str(cell) for cell in row])
    return made


def print_json(held: Any) -> None:
    """One line of JSON; a number that is not finite is null."""
    from sevensteps.record.folder import finite

    click.echo(json.dumps(finite(held), ensure_ascii=False, allow_nan=False))


@contextmanager
def status() -> Iterator[Callable[[str], None]]:
    """A line on the terminal that says what is being done now; plain lines where there is none."""
    from rich.console import Console

    screen = Console(stderr=True, highlight=False, markup=False)
    if not screen.is_terminal:
        yield lambda text: click.echo(text, err=True)
        return
    with screen.status("") as line:
        yield lambda text: line.update(text[:screen.width - 4])
