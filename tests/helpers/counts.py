"""Counts that a test run reports at its end, so that the figures in the notes can be repeated."""

from __future__ import annotations

from collections import Counter

COUNTS: Counter[str] = Counter()  # since they were last collected


def count(name: str, number: int = 1) -> None:
    """Add to a count that is reported when all tests are done."""
    COUNTS[name] += number
