"""A header as it comes, and the cells below it."""

from __future__ import annotations

import pytest

from sevensteps.data.table.text_table import TextTable, make_header


@pytest.mark.parametrize(
    ("cells", "header", "is_named"),
    [
        (["a", " b  c "], ["a", "b c"], True),
        (["", "x", "x", "x (2)"], ["column 1", "x", "x (2)", "x (2) (2)"], True),
        (["1", "2.5", ""], ["column 1", "column 2", "column 3"], False),
        (["1", "b"], ["1", "b"], True),
    ],
)
def test_each_column_has_a_name_of_its_own(
    cells: list[str], header: list[str], is_named: bool
) -> None:
    assert make_header(cells) == (header, is_named)


def test_columns_by_name() -> None:
    table = TextTable("a.csv", "a.csv", ["a", "b"], [["1", "x"], ["", "y"]], ("noted",))
    (block,) = table.blocks(["b", "a"])
    assert list(block) == ["b", "a"]
    assert block["a"].missing.tolist() == [False, True]
    assert (table.notes, table.may_have_commas) == (("noted",), False)
