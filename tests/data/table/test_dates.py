"""Dates in the usual ways of writing."""

from __future__ import annotations

import pytest

from sevensteps.data.table.dates import days_since_1970, format_days


@pytest.mark.parametrize(
    ("text", "style", "days"),
    [
        ("1970-01-02", "", 1),
        ("1970/1/2", "", 1),
        ("1970.01.02", "", 1),
        ("02.01.1970", "", 1),
        ("2.1.70", "", 1),
        ("2 Jan 1970", "", 1),
        ("2nd January, 1970", "", 1),
        ("02-Jan-70", "", 1),
        ("Jan 2, 1970", "", 1),
        ("Fri, 2 Jan 1970 12:00:00 GMT", "", 1.5),
        ("2. März 1970", "", 60),
        ("January 1970", "", 0),
        ("1970-02", "", 31),
        ("1970-01-02 06:00", "", 1.25),
        ("2.1.1970 6:00 pm", "", 1.75),
        ("1970-01-02T00:00:00+12:00", "", 0.5),
        ("1/2/1970", "", None),
        ("1/2/1970", "month first", 1),
        ("1/2/1970", "day first", 31),
        ("13/1/1970", "month first", None),
        ("19700102", "20121231", 1),
        ("12345678", "20121231", None),
        ("31.2.1970", "", None),
        ("May be 12", "", None),
        ("12.5", "", None),
        ("", "", None),
    ],
)
def test_ways_of_writing(text: str, style: str, days: float | None) -> None:
    assert days_since_1970(text, style) == days


def test_days_are_written_as_iso() -> None:
    assert (format_days(1), format_days(1.5)) == ("1970-01-02", "1970-01-02T12:00:00")
    assert format_days(1e12) == "1000000000000.0 days after 1970"
