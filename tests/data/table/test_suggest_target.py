"""The column that is most likely to be predicted."""

from __future__ import annotations

import pytest

from sevensteps.data.table.suggest_target import suggested_target
from sevensteps.data.table.text_table import TextTable


@pytest.mark.parametrize(
    ("last", "cells", "suggested"),
    [
        ("kind", ["a", "b"], "kind"),
        ("born", ["2001-01-01", "2002-01-01"], "size"),  # a date is no target
        ("always", ["1", "1"], "size"),
        ("Species", ["a", "b"], "Species"),
    ],
)
def test_the_last_that_can_be_one(last: str, cells: list[str], suggested: str) -> None:
    rows = [[str(n), f"name {n}", str(n / 2), cells[n % 2]] for n in range(40)]
    assert (
        suggested_target(TextTable("a", "a", ["id", "name", "size", last], rows)).column
        == suggested
    )


def test_one_that_is_called_like_a_target_comes_first() -> None:
    rows = [["ab"[n % 2], str(n / 2)] for n in range(40)]
    suggestion = suggested_target(TextTable("a", "a", ["Survived", "fare"], rows))
    assert (suggestion.column, suggestion.reason) == ("Survived", "targets are often called so")


@pytest.mark.parametrize("file", ["mpg.csv", "data/auto-MPG.csv"])
def test_one_that_is_called_like_the_file(file: str) -> None:
    rows = [[str(n / 2), str(n % 5)] for n in range(40)]
    suggestion = suggested_target(TextTable(file, file, ["MPG", "cylinders"], rows))
    assert (suggestion.column, suggestion.reason) == ("MPG", "the file is called so")


def test_columns_that_mark_a_class_each_are_no_target() -> None:
    names = ["size", "weight", "Europe", "Japan", "USA"]
    rows = [[str(n), str(n / 2), *(str(int(n % 3 == k)) for k in range(3))] for n in range(40)]
    suggestion = suggested_target(TextTable("cars", "cars", names, rows))
    assert suggestion.column == "weight"
    assert (
        suggestion.reason == "it is the last before Europe, Japan, USA, which mark one class each"
    )
    rows = [[str(n), str(n / 2), str(n % 2)] for n in range(40)]
    assert suggested_target(TextTable("a", "a", ["x", "w", "sold"], rows)).column == "sold"
