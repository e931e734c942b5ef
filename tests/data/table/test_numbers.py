"""Numbers as people write them."""

from __future__ import annotations

import pytest

from sevensteps.data.table.numbers import COMMA, POINT, parse_number


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ("12", 12, 12),
        ("1,234", 1234, 1.234),
        ("1.234", 1.234, 1234),
        ("1,234.5", 1234.5, None),
        ("1.234,5", None, 1234.5),
        ("12,5", None, 12.5),
        ("1 234 567", 1234567, 1234567),
        ("1'234.50", 1234.5, None),
        ("$1,200", 1200, 1.2),
        ("-€3", -3, -3),
        ("€ -3", -3, -3),
        ("3 EUR", 3, 3),
        ("12.5 %", 12.5, None),
        ("(1,200.50)", -1200.5, None),
        ("1e-3", 0.001, None),
        ("12 kg", None, None),
        ("1,23", None, 1.23),
        ("1,2345", None, 1.2345),
        ("1.2.3", None, None),
        ("", None, None),
        ("$", None, None),
    ],
)
def test_marks(text: str, point: float | None, comma: float | None) -> None:
    assert (parse_number(text, POINT), parse_number(text, COMMA)) == (point, comma)


def test_plain_numbers_are_those_of_python() -> None:
    assert [parse_number(text) for text in ("1.5", "1,5", "1e3")] == [1.5, None, 1000]
