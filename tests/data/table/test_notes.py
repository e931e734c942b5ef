"""What was done to a table is said, a line each, with the option that changes it."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow

import sevensteps as ss
from sevensteps.data.formats.frame import FrameOptions
from sevensteps.data.table.table_to_data import inspect_table
from sevensteps.data.table.text_table import TextTable
from sevensteps.errors import SHELL_WORDS


def notes(columns: dict[str, list[str]], **options: str) -> tuple[str, ...]:
    table = TextTable("a.csv", "a.csv", list(columns), list(zip(*columns.values(), strict=True)))
    return inspect_table(table, FrameOptions("a.csv", target="y", **options)).notes  # type: ignore[arg-type]


Y = ["a", "b"] * 30


def test_gaps_and_rows() -> None:
    columns = {"x": ["", "5", "7"] * 20, "c": ["u", "", "v", "u"] * 15, "y": ["", *Y[1:]]}
    assert notes(columns) == (
        "left out 1 of 60 rows, without y",
        'filled 19 gaps in x with the mean, marked by an extra input (missing="drop" '
        "leaves the rows out)",
        "treated 15 gaps in c as 'no value'",
    )
    assert notes(columns, missing="drop") == (
        "left out 1 of 60 rows, without y",
        'left out 29 of 60 rows, with gaps; missing="fill" keeps them',
    )


def test_where_little_is_left_that_comes_first() -> None:
    columns = {"x": ["", "", "7"] * 20, "c": ["u", "", "v", "u"] * 15, "y": ["", *Y[1:]]}
    assert notes(columns, missing="drop") == (
        "only 15 of 60 rows can be used",
        "left out 1 of 60 rows, without y",
        'left out 44 of 60 rows, with gaps; missing="fill" keeps them',
    )
    targets = ["", "", "", *Y[:2]] * 12
    assert notes({"x": [*map(str, range(60))], "y": targets})[:2] == (
        "only 24 of 60 rows can be used",
        "left out 36 of 60 rows, without y",
    )


def test_columns_that_are_left_out_grouped_or_read_in_a_way_of_their_own() -> None:
    lines = notes(
        {
            "name": [f"n{n}" for n in range(60)],
            "x": [f"{n},5" for n in range(60)],
            "when": [f"{n % 9 + 1}/{n % 7 + 1}/2001" for n in range(60)],
            "c": [f"c{n % 13}" if n < 54 else f"rare {n}" for n in range(60)],
            "y": Y,
        }
    )
    assert lines == (
        'left out name (has 60 different texts in 60 rows: names); take one in with keep="name"',
        "grouped rare texts as one value, other: 17 of c",
        "read x as numbers with a decimal comma",
        'read the dates of when with the day first (dates="month_first" for the other way)',
    )


def test_a_few_odd_cells() -> None:
    lines = notes({"x": [*map(str, range(59)), "oops"], "y": Y})
    assert "took 1 cell of x for gaps, as 'oops' is no number" in lines


def test_at_a_shell_the_options_are_those_of_the_shell() -> None:
    token = SHELL_WORDS.set(("train", "a.csv"))
    try:
        lines = notes({"z": ["1"] * 60, "x": [*map(str, range(60))], "y": Y})
    finally:
        SHELL_WORDS.reset(token)
    assert lines == ("left out z (is always 1); take one in with --keep z",)


def test_only_the_cycles_that_the_dates_go_through_are_named() -> None:
    start = date(2024, 1, 1)
    days = [start + timedelta(day) for day in range(500)]
    frame = pyarrow.table({"day": days, "sold": [float(day.weekday()) for day in days]})
    assert ss.data.from_frame(frame, target="sold").notes == (
        "made inputs of the calendar from day: season and weekday",
    )
