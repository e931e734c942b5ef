"""Checks of argument values: a value within its limits, or an error of one line that says what was
seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real

from sevensteps.errors import ArgumentError, nearest


def number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> float:
    """`value` as a finite float within the limits, else an `ArgumentError` naming the argument and
    both values.
    """
    try:
        real = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number of hundreds of digits
        real = math.inf
    if not math.isfinite(real):
        raise ArgumentError(f"{name} must be a finite number, not {value!r}")
    if above is not None and not real > above:
        raise ArgumentError(f"{name} must be above {above:g}, not {value!r}")
    if at_least is not None and not real >= at_least:
        raise ArgumentError(f"{name} must be at least {at_least:g}, not {value!r}")
    if at_most is not None and not real <= at_most:
        raise ArgumentError(f"{name} must be at most {at_most:g}, not {value!r}")
    if below is not None and not real < below:
        raise ArgumentError(f"{name} must be below {below:g}, not {value!r}")
    return real


def whole(name: str, value: object, *, at_least: int = 0) -> int:
    """`value` as an int of at least `at_least`, else an `ArgumentError`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ArgumentError(f"{name} must be a whole number, not {value!r}")
    if value < at_least:
        raise ArgumentError(f"{name} must be at least {at_least}, not {value!r}")
    return int(value)


def one_of(name: str, value: object, options: Iterable[str]) -> str:
    """`value` if it is one of `options`, else an `ArgumentError` with the nearest option."""
    known = list(options)
    if not isinstance(value, str) or value not in known:
        hint = nearest(value, known) if isinstance(value, str) else "known: " + ", ".join(known)
        raise ArgumentError(f"{name} has no option {value!r}; {hint}")
    return value


def flag(name: str, value: object) -> bool:
    """`value` if it is True or False, else an `ArgumentError`."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} must be True or False, not {value!r}")
    return value
