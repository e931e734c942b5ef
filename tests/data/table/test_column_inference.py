"""The kind of a column is the first that fits all of its cells."""

from __future__ import annotations

import datetime
from dataclasses import replace

import numpy
import pytest

from sevensteps.data.table.cells import Cells
from sevensteps.data.table.column_encoding import Column
from sevensteps.data.table.column_inference import (
    MAX_CATEGORIES,
    ColumnInference,
    ReadingOptions,
    infer,
    infer_column,
)
from sevensteps.errors import DataError


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (["1", "2.5", "-3e4"], Column("c", "number")),
        (["1", "", "2"], Column("c", "number")),
        (["yes", "no", "yes"], Column("c", "flag")),
        (["2020-01-31", "1999-12-01"], Column("c", "date")),
        (["red", "green", "red"], Column("c", "category", ("green", "red"))),
        (["1", "red", "2020-01-31"], Column("c", "category", ("1", "2020-01-31", "red"))),
    ],
)
def test_the_kind_that_fits_all_cells(cells: list[str], column: Column) -> None:
    assert infer_column("c", cells) == column


def test_blocks_count_together() -> None:
    inference = ColumnInference("c")
    inference.add(Cells.of(["1", "2"], "a.csv"))
    assert inference.column().kind == "number"
    inference.add(Cells.of(["blue"] * 3, "a.csv"))
    assert inference.column() == Column("c", "category", ("1", "2", "blue"))


def test_one_cell_among_many_numbers_is_a_mistake() -> None:
    with pytest.raises(DataError, match=r"^a\.csv.* has c 'oops' in a column of numbers; mend it"):
        infer_column("c", [*map(str, range(20)), "oops"], "a.csv")


def test_what_nothing_can_be_learned_from_is_refused() -> None:
    assert infer("c", ["", ""]).useless() == "is empty"
    assert infer("c", ["5"] * 9).useless() == "is always 5"
    assert infer("c", ["5"] * 9 + [""]).useless() is None
    names = [f"text {i}" for i in range(30)]
    assert infer("c", names).useless() == "has 30 different texts in 30 rows: names"
    assert infer("c", names * 4).useless() == "has 30 different texts, each of fewer than 5 rows"
    numbers = [str(i) for i in range(1, 31)]
    assert infer("row", numbers).useless() == "counts the rows"
    assert infer("PassengerId", numbers[::-1]).useless() == (
        "has another number in each row: an identifier"
    )
    for name in ("time", "humid"):
        assert infer(name, numbers).useless() is None


def test_rare_texts_are_grouped() -> None:
    texts = [f"text {i}" for i in range(20)] * 5 + ["rare 1", "rare 2"]
    column = infer_column("c", texts)
    assert (len(column.values), column.others) == (20, True)
    encoded = column.encode(["text 0", "rare 1", "never seen"])
    assert encoded.sum(1).tolist() == [1, 1, 1]
    assert encoded[1:, -1].tolist() == [1, 1]
    few = infer_column("c", texts, options=ReadingOptions(values=3))
    assert len(few.values) == 3
    assert (
        infer_column("c", texts[:100], options=ReadingOptions(values=MAX_CATEGORIES)).others
        is False
    )


@pytest.mark.parametrize(
    ("cells", "kind", "style", "number"),
    [
        (["1,234", "2", "1,000,000"], "number", "1,234.5", 1234),
        (["1.234,5", "2", "1,5"], "number", "1.234,5", 1234.5),
        (["$1,200.50", "$3"], "number", "1,234.5", 1200.5),
        (["12 %", "3.5%"], "number", "1,234.5", 12),
        (["1970/01/03", "1970/12/24"], "date", "", 2),
        (["3.1.1970", "24.12.1970"], "date", "", 2),
        (["3 Jan 1970", "24 December 1970"], "date", "", 2),
        (["3/1/1970 12:00", "24/12/1970 0:00"], "date", "day first", 2.5),
        (["1/3/1970", "12/24/1970"], "date", "month first", 2),
        (["19700103", "19701224"], "date", "20121231", 2),
        (["1/3/1970", "2/4/1970"], "date", "month first", 2),
    ],
)
def test_ways_of_writing(cells: list[str], kind: str, style: str, number: float) -> None:
    column = infer_column("c", cells)
    assert (column.kind, column.style) == (kind, style)
    assert column.encode(cells)[0].tolist() == [number]


def test_what_is_ambiguous_follows_the_option_or_the_rest_of_the_file() -> None:
    dates = infer("c", ["1/3/1970", "2/4/1970"])
    assert dates.is_ambiguous_date()
    assert dates.column(comma=True).style == "day first"
    assert infer_column("c", ["1/3/1970"], options=ReadingOptions("day_first")).style == "day first"
    thousands = infer("c", ["1.200", "2.500"])
    assert (thousands.column().style, thousands.column(comma=True).style) == ("", "1.234,5")


def test_a_few_cells_of_another_kind_are_gaps_where_gaps_are_filled() -> None:
    cells = [*map(str, range(20)), "oops"]
    column = infer_column("c", cells, options=ReadingOptions(lenient=True))
    assert (column.kind, column.lenient) == ("number", True)
    assert replace(column, fill=7.0, flag=True).encode(cells)[-1].tolist() == [7, 1]


def test_the_calendar_of_dates_that_come_again() -> None:
    days = [(datetime.date(2000, 1, 1) + datetime.timedelta(n)).isoformat() for n in range(800)]
    column = infer_column("day", days)
    assert column.calendar == ("year", "week")
    encoded = column.encode(["2000-01-01", "2000-07-01"])
    names = dict(zip(column.features, encoded.T.tolist(), strict=True))
    assert names["day: Saturday"] == [1, 1]
    assert names["day: season (cosine)"] == pytest.approx([1, -1], abs=0.05)
    assert infer_column("day", days[:100]).calendar == ()


def test_texts_that_no_row_has_do_not_count() -> None:
    cells = Cells.from_codes(numpy.array([0, 1, 0], numpy.int32), ["1", "2", "red"], "a.parquet")
    assert infer_column("c", cells) == Column("c", "number")
