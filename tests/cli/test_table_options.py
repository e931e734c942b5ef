"""The options for files of the user's own go into the notation of the data."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from sevensteps.cli.table_options import table_options, with_table_options
from sevensteps.training.recipe import Recipe


def test_options_become_arguments_of_the_file() -> None:
    assert with_table_options("iris", {}) == "iris"
    options: dict[str, Any] = {"target": "price", "drop": ("b",), "missing": "drop"}
    assert Recipe(with_table_options("a.csv", options)).source == (
        'csv("a.csv", target="price", drop=("b",), missing="drop")'
    )
    assert with_table_options('csv("a.csv", drop=("a",))', {"drop": ("b",)}) == (
        'csv("a.csv", drop=("a", "b"))'
    )


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("iris", {"target": "price"}, "--target names what to predict in files of your own, but"),
        ("iris", {"missing": "drop"}, "--missing says how to read files of your own, but the"),
        ("a.npy", {"missing": "drop"}, "--missing is not for files like a.npy"),
    ],
)
def test_options_that_do_not_fit_the_data(data: str, options: Any, message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        with_table_options(data, options)


def test_only_what_was_typed_is_passed_on() -> None:
    @click.command()
    @table_options
    def command(table: dict[str, Any]) -> None:
        click.echo(repr(table))

    typed = ["--drop", "a", "--drop", "b", "--separator", "tab"]
    assert CliRunner().invoke(command, []).output == "{}\n"
    assert CliRunner().invoke(command, typed).output == (
        "{'drop': ('a', 'b'), 'separator': 'tab'}\n"
    )
