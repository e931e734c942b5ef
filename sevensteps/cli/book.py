"""`--book`: the steps that fastbook prints for its two trainings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from sevensteps.cli.options import RecipeOptions


def book_option() -> Callable[[Any], Any]:
    """The flag `--book`, passed to the command as `book`."""
    return click.option(
        "--book",
        is_flag=True,
        help="Take the steps that fastbook prints for DATA: speed or mnist37.",
    )


def with_book(options: RecipeOptions) -> RecipeOptions:
    """The options, where steps that were left out are those that the book prints for the data."""
    from sevensteps.explain.why.published import BOOK_RECIPES

    name = (options.data or "").partition("(")[0]
    if name not in BOOK_RECIPES:
        raise click.UsageError(
            f"--book is for {' and '.join(BOOK_RECIPES)}, whose training the book prints"
        )
    left_out = {
        step: (text,) if isinstance(options.values[step], tuple) else text
        for step, text in BOOK_RECIPES[name].items()
        if not options.values[step]
    }
    return replace(options, values={**options.values, **left_out})
