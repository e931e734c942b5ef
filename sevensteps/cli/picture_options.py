"""The options that say how a folder of pictures is read, the same for every command."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

Decorator = Callable[[Any], Any]
LABELS = click.option(
    "--labels",
    metavar="FILE",
    help="A table (.csv) with a row for each picture of a folder: its name, and its class.",
)
SIZE = click.option(
    "--size",
    metavar="SIDE",
    help="Resize all pictures of a folder to 64 x 64 (64), or to height x width (48x64).",
)


def picture_options(argument: str) -> Decorator:
    """Add the options to a command; they become a part of its DATA, the parameter `argument`."""

    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def command(labels: str | None, size: str | None, **values: Any) -> Any:
            if values[argument] is not None:
                values[argument] = with_picture_options(values[argument], labels, size)
            return function(**values)

        return LABELS(SIZE(command))

    return decorate


def with_picture_options(data: str, labels: str | None, size: str | None) -> str:
    """The notation of DATA with these options of the command line as its arguments."""
    options: dict[str, Any] = {}
    if labels is not None:
        options["labels"] = labels
    if size is not None:
        sides = re.fullmatch(r"(\d+)(?:\s*[x×,]\s*(\d+))?", size.strip())
        if sides is None:
            raise click.UsageError(f"--size must be a side, 64, or height x width, 48x64: '{size}'")
        options["size"] = tuple(map(int, sides.groups())) if sides[2] else int(sides[1])
    if not options:
        return data
    from sevensteps.data import source, to_notation

    pictures = source(to_notation(data))
    for name in options:
        if not hasattr(pictures, name):
            raise click.UsageError(f"--{name} is for a folder of pictures, but DATA is {data}")
    return str(replace(pictures, **options).text)  # type: ignore[type-var]
