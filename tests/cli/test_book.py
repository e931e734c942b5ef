"""`--book`: the steps of the book, where none is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from sevensteps.cli.book import with_book
from sevensteps.cli.options import RecipeOptions
from sevensteps.explain.why.published import BOOK_RECIPES
from sevensteps.steps import STEPS


def options(data: str | None, **values: Any) -> RecipeOptions:
    return RecipeOptions(data, (), {**dict.fromkeys(STEPS), **values}, Path(), False)


@pytest.mark.parametrize("data", ["speed", "speed(noise=0)", "mnist37"])
def test_steps_that_are_left_out_are_those_of_the_book(data: str) -> None:
    values = with_book(options(data)).values
    book = BOOK_RECIPES[data.partition("(")[0]]
    assert {name: text for name, text in values.items() if text} == book
    assert with_book(options(data, step="adam()")).values["step"] == "adam()"


def test_where_steps_repeat_each_is_a_list() -> None:
    values = with_book(options("mnist37", predict=("mlp(1)", "mlp(30)"), step=())).values
    assert values["predict"] == ("mlp(1)", "mlp(30)")
    assert values["step"] == (BOOK_RECIPES["mnist37"]["step"],)


@pytest.mark.parametrize("data", ["xor", None])
def test_other_data_are_in_no_book(data: str | None) -> None:
    with pytest.raises(click.UsageError, match="for speed and mnist37"):
        with_book(options(data))
