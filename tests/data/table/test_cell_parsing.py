"""A cell as text becomes the number that Python reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sevensteps.data.table.cell_parsing import parse_cell
from sevensteps.data.table.column_encoding import Column
from sevensteps.data.table.column_inference import infer_column


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=20)
)
def test_every_number_is_read_as_python_writes_it(values: list[float]) -> None:
    column = infer_column("x", [repr(value) for value in values], "a.csv")
    assert column == Column("x", "number")
    assert column.encode([repr(value) for value in values], "a.csv")[:, 0].tolist() == values


def test_dates_are_days() -> None:
    assert parse_cell("1970-01-02", "date") == 1
    assert parse_cell("1970-01-01T12:00", "date") == 0.5
    assert parse_cell("1970-01-01T12:00+12:00", "date") == 0
    assert parse_cell("1.1.1970", "date") == 0
    assert parse_cell("1/1/1970", "date") is None
