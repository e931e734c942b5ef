"""The cycles of the calendar, as sines and cosines and days of the week."""

from __future__ import annotations

import numpy
import pytest

from sevensteps.data.table.calendar import WEEKDAYS, cycles_of, encode_calendar

DAILY = numpy.arange(10_957.0, 10_957 + 900)  # from 2000-01-01 on, a Saturday


@pytest.mark.parametrize(
    ("days", "cycles"),
    [
        (DAILY, ("year", "week")),
        (DAILY[:300], ("week",)),
        (DAILY[:100], ()),
        (numpy.arange(0, 30 * 250.0, 30), ("year",)),  # monthly: the weekday is chance
        (numpy.arange(0, 500) / 24, ("week", "day")),
        (DAILY[::7], ()),
        (numpy.append(DAILY, numpy.nan), ("year", "week")),
    ],
)
def test_cycles_that_dates_go_through(days: numpy.ndarray, cycles: tuple[str, ...]) -> None:
    assert cycles_of(days) == cycles


def test_places_in_the_cycles() -> None:
    year = encode_calendar(numpy.array([0.0, 365.2425 / 2]), ["year"])
    assert year[0].tolist() == pytest.approx([0, 0], abs=1e-9)
    assert year[1].tolist() == pytest.approx([1, -1])
    week = numpy.array(encode_calendar(numpy.array([0.0, 10_957.5]), ["week"]))
    assert [WEEKDAYS[place] for place in week.argmax(0)] == ["Thursday", "Saturday"]
    assert encode_calendar(numpy.array([0.25]), ["day"])[0].tolist() == pytest.approx([1])
