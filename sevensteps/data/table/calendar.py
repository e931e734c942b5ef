"""The cycles of the calendar that a date may stand in: the year, the week and the day.

A place in a cycle is given as sine and cosine, so that December lies beside January; days of the
week, which differ at will, are an input each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

WEEKDAYS = ("Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday")
PARTS = {
    "year": ("season (sine)", "season (cosine)"),
    "week": WEEKDAYS,  # the first day of 1970 was a Thursday
    "day": ("hour (sine)", "hour (cosine)"),
}
DAYS_PER_YEAR = 365.2425
FEWEST = 200  # different dates that show a cycle
DENSE = 3  # days from one date to the next at most, for the weekday to be worth an input


def cycles_of(days: NDArray[numpy.float64]) -> tuple[str, ...]:
    """The cycles that these dates go through more than once: the year where they span more than a
    year and stand in all its quarters, the week where they follow each other by days, the day where
    they have times of all its quarters.
    """
    days = numpy.unique(days[~numpy.isnan(days)])
    if len(days) < FEWEST or days[-1] - days[0] < 14:
        return ()
    span = float(days.max() - days.min())
    cycles = []
    quarters = numpy.unique(numpy.floor(days / DAYS_PER_YEAR % 1 * 4))
    if span > 1.1 * DAYS_PER_YEAR and len(quarters) == 4:
        cycles.append("year")
    weekdays = numpy.bincount((numpy.floor(days) % 7).astype(int), minlength=7)
    gap = numpy.median(numpy.diff(numpy.unique(numpy.floor(days))))
    if gap <= DENSE and (weekdays > 0).sum() >= 5 and weekdays.max() < 0.5 * len(days):
        cycles.append("week")
    if len(numpy.unique(numpy.floor(days % 1 * 4))) == 4:
        cycles.append("day")
    return tuple(cycles)


def encode_calendar(
    days: NDArray[numpy.float64], cycles: Sequence[str]
) -> list[NDArray[numpy.float64]]:
    """The inputs of these dates for each of the cycles, in the order of `PARTS`."""
    inputs: list[NDArray[numpy.float64]] = []
    for cycle in cycles:
        if cycle == "week":
            weekday = numpy.floor(days) % 7
            inputs += [(weekday == day).astype(numpy.float64) for day in range(7)]
        else:
            angle = 2 * numpy.pi * (days / (DAYS_PER_YEAR if cycle == "year" else 1.0) % 1)
            inputs += [numpy.sin(angle), numpy.cos(angle)]
    return inputs
