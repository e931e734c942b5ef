"""What the verbs share in how they print."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sevensteps.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH = 100  # columns; longer lines are hard to read


def console() -> Console:
    """Standard output, at most `WIDTH` columns wide; nothing is coloured or read as markup that was
    not asked for.
    """
    from rich.console import Console

    made = Console(highlight=False, markup=False)
    made.width = min(made.width, WIDTH)
    return made


def table(
    rows: Iterable[Sequence[Any]],
    header: Sequence[str] = (),
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> Table:
    """Plain columns, with a dim header line where one is given; those numbered in `right` are
    aligned right, in `whole` never broken.
    """
    from rich.table import Table

    made = Table(
        box=None, show_header=bool(header), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim"
    )
    rows = [list(row) for row in rows]
    for index in range(max(map(len, rows), default=len(header))):
        made.add_column(
            header[index] if header else "",
            justify="right" if index in right else "left",
            overflow="fold",
            no_wrap=index in whole,
        )
    for row in rows:
        made.add_row(
            *[cell if hasattr(cell, "__rich_console__") else printable(str(cell)) for cell in row]
        )
    return made


def targeted(data: str, target: str | None) -> str:
    """The notation of DATA with what is to be predicted, as `--target` says."""
    if target is None:
        return data
    from sevensteps.data import source, to_notation

    made = source(to_notation(data))
    if not hasattr(made, "target"):
        raise click.UsageError(
            f"--target says what to predict of data in files of your own, but the data are {data}"
        )
    return str(dataclasses.replace(made, target=target).text)  # type: ignore[type-var]


def print_json(held: Any) -> None:
    """One line of JSON; a number that is not finite is null."""
    from sevensteps.record.run_folder import finite

    click.echo(json.dumps(finite(held), ensure_ascii=False, allow_nan=False))


class Status:
    """Says what is being done now: on a terminal in one line that is drawn over, until `stop`; elsewhere line by line."""

    def __init__(self) -> None:
        from rich.console import Console

        self.screen = Console(stderr=True, highlight=False, markup=False)
        self.line: Any = None

    def __call__(self, text: str) -> None:
        if not self.screen.is_terminal:
            click.echo(text, err=True)
            return
        if self.line is None:
            self.line = self.screen.status("")
            self.line.start()
        self.line.update(text[: self.screen.width - 4])

    def stop(self) -> None:
        """Take the line away; the next call draws it anew."""
        if self.line is not None:
            self.line.stop()
            self.line = None


@contextmanager
def status() -> Iterator[Status]:
    """A `Status` that is gone afterwards, however that comes."""
    made = Status()
    try:
        yield made
    finally:
        made.stop()
