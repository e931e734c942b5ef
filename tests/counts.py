"""What the tests went through, counted: said at the end of a run, so that the figures in the notes
can be repeated.
"""

from __future__ import annotations

from collections import Counter

HELD: Counter[str] = Counter()  # of the test that is running


def count(what: str, number: int = 1) -> None:
    """Add to a figure that is said when all tests are done."""
    HELD[what] += number
