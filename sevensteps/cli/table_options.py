"""The options that say how a file of the user's own is read, the same for every command."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

Decorator = Callable[[Any], Any]
OPTIONS: dict[str, Decorator] = {
    "target": click.option(
        "--target",
        metavar="COLUMN",
        help="What to predict if DATA is a file: the name of a column, or a .npy file.",
    ),
    "drop": click.option(
        "--drop", metavar="COLUMN", multiple=True, help="Leave a column out. Repeatable."
    ),
    "keep": click.option(
        "--keep",
        metavar="COLUMN",
        multiple=True,
        help="Keep a column that would otherwise be left out. Repeatable.",
    ),
    "missing": click.option(
        "--missing",
        metavar="HOW",
        help="What to do with gaps: fill them, drop their rows, or refuse. [default: fill]",
    ),
    "separator": click.option(
        "--separator", metavar="MARK", help="What separates the columns: a mark, tab or space."
    ),
    "dates": click.option(
        "--dates", metavar="ORDER", help="How to read 03/04/2026: day_first or month_first."
    ),
}


def table_options(function: Any) -> Any:
    """Add the options; those that were given come as one dictionary, `table`."""

    @functools.wraps(function)
    def command(**values: Any) -> Any:
        table = {name: values.pop(name) for name in OPTIONS}
        given = {name: value for name, value in table.items() if value not in (None, ())}
        return function(table=given, **values)

    for option in reversed(OPTIONS.values()):
        command = option(command)
    return command


def with_table_options(data: str, options: dict[str, Any]) -> str:
    """The notation of DATA with these options of the command line as its arguments."""
    if not options:
        return data
    from sevensteps.data import source, to_notation

    files = source(to_notation(data))
    for name in options:
        if not hasattr(files, name):
            what = "names what to predict in" if name == "target" else "says how to read"
            raise click.UsageError(
                f"--{name} {what} files of your own, but the data are {data}"
                if not hasattr(files, "path")
                else f"--{name} is not for files like {files.path}"
            )
    added = {
        name: (*getattr(files, name), *value) if isinstance(value, tuple) else value
        for name, value in options.items()
    }
    return str(replace(files, **added).text)  # type: ignore[type-var]
