"""How the commands print: text, tables, JSON, and what is being done now."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sevensteps.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH = 100  # columns; longer lines are hard to read
COMMAND = re.compile(r"(?<=[:;,]) (?=sevensteps [a-z]|pip install )")


def console() -> Console:
    """Standard output, at most `WIDTH` columns wide; nothing is coloured or read as markup by
    itself.
    """
    from rich.console import Console

    screen = Console(highlight=False, markup=False)
    screen.width = min(screen.width, WIDTH)
    return screen


def table(
    rows: Iterable[Sequence[Any]],
    header: Sequence[str] = (),
    right: Sequence[int] = (),
    unbroken: Sequence[int] = (),
) -> Table:
    """Plain columns, under a dim `header` line if there is one.

    The columns numbered in `right` are aligned right; in those in `unbroken` no line is wrapped.
    """
    from rich.table import Table

    grid = Table(
        box=None, show_header=bool(header), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim"
    )
    rows = [list(row) for row in rows]
    for index in range(max(map(len, rows), default=len(header))):
        grid.add_column(
            header[index] if header else "",
            justify="right" if index in right else "left",
            overflow="fold",
            no_wrap=index in unbroken,
        )
    for row in rows:
        grid.add_row(
            *[cell if hasattr(cell, "__rich_console__") else printable(str(cell)) for cell in row]
        )
    return grid


def print_commands(screen: Console, commands: Iterable[str]) -> None:
    """Print commands as a shell reads them: one that is too long goes on in the next line."""
    from sevensteps.render.text import command_lines

    for command in commands:
        for line in command_lines(command, screen.width, "  "):
            screen.print(line, style="dim", soft_wrap=True)


def print_error(message: str, speaker: str = "sevensteps: ") -> None:
    """Print a message of one line on standard error: wrapped on a terminal, and as it is in a file
    or pipe.
    """
    text = speaker + " ".join(message.split())
    if sys.stderr.isatty():
        text = "\n".join(error_lines(text, min(shutil.get_terminal_size().columns, WIDTH)))
    click.echo(text, err=True)


def error_lines(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns; a command at its end that does not fit into the
    line has lines of its own, in which it can be copied.
    """
    from sevensteps.render.text import command_lines, wrap

    if len(text) <= width:
        return [text]
    sentence, *commands = COMMAND.split(text, maxsplit=1)
    lines = wrap(sentence, width)
    return lines + [line for part in commands for line in command_lines(part, width, "  ")]


def print_json(content: Any) -> None:
    """Print one line of JSON; numbers that are not finite become null."""
    from sevensteps.record.run_folder import nan_to_null

    click.echo(json.dumps(nan_to_null(content), ensure_ascii=False, allow_nan=False))


class Status:
    """Prints what is being done now: on a terminal in one line that is overwritten, until `stop`;
    elsewhere in a line each.
    """

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
        """Remove the line; the next call draws it again."""
        if self.line is not None:
            self.line.stop()
            self.line = None


@contextmanager
def status() -> Iterator[Status]:
    """A `Status` for the block, removed from the terminal however the block ends."""
    line = Status()
    try:
        yield line
    finally:
        line.stop()
