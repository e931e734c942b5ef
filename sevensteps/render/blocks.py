"""Numbers as block characters: the alphabets of all drawings in text, and curves in one line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

BLOCKS = "▁▂▃▄▅▆▇█"  # heights of one eighth of a line to a whole one
SHADES = " ░▒▓█"  # from nothing to full ink
HALF_BLOCKS = " ▄▀█"  # two pixels above each other: bit 0 is the lower one, bit 1 the upper one
ASCII_HALF_BLOCKS = ' _"#'  # the same where a terminal has ASCII alone


def sparkline(values: Sequence[float], low: float, high: float, width: int = 8) -> str:
    """The curve of `values` as blocks of eight heights, on a scale from `low` to `high`.

    At most `width` values are drawn, evenly spread; one that is not finite leaves a gap.

    >>> sparkline([0.1, 0.5, 0.8, 0.9], 0, 1)
    '▂▅▇▇'
    """
    count = min(width, len(values))
    drawn = [values[round(i * (len(values) - 1) / max(count - 1, 1))] for i in range(count)]
    return "".join(
        BLOCKS[round(min(max((value - low) / (high - low or 1), 0), 1) * 7)]
        if math.isfinite(value)
        else " "
        for value in drawn
    )


def common_scale(curves: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The lowest and highest finite number of all `curves`, so that all can be drawn to one scale.

    The scale begins at 0 where some numbers are below and some above it: r2 has no lowest value.
    (0, 1) for curves without a finite number.
    """
    finite = [value for curve in curves for value in curve if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    return (max(min(finite), 0.0) if max(finite) > 0 else min(finite)), max(finite)
