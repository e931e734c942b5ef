"""Numbers as people write them: with marks between the thousands, a decimal comma, a currency or a
percent sign.
"""

from __future__ import annotations

import re

POINT, COMMA = "1,234.5", "1.234,5"  # styles, by an example
SPACES = " \u00a0\u202f\u2009"
CURRENCY = r"(?:[$€£¥₹₽₩]|USD|EUR|GBP|CHF|JPY|CNY|Rs\.?|kr\.?|US\$)"
# a sign and a currency in either order, then digits, then a percent sign or a currency
AROUND = re.compile(
    rf"^(?P<sign>[-+\u2212]?){CURRENCY}?[{SPACES}]*(?P<inner>[-+\u2212]?)(?P<digits>[.,]?\d.*?)"
    rf"[{SPACES}]*(?:%|{CURRENCY})?$",
    re.IGNORECASE,
)
WITH_POINT = re.compile(
    rf"(?:\d{{1,3}}(?:(?P<m>[,'’{SPACES}])\d{{3}}(?:(?P=m)\d{{3}})*)?|\d*)(?:\.\d*)?"
)
WITH_COMMA = re.compile(
    rf"(?:\d{{1,3}}(?:(?P<m>[.'’{SPACES}])\d{{3}}(?:(?P=m)\d{{3}})*)?|\d*)(?:,\d*)?"
)
MARKS = re.compile(rf"['’{SPACES}]")


def parse_number(text: str, style: str = "") -> float | None:
    """`text` as a number; None where it is none in this style.

    >>> parse_number("$1,234.50", POINT), parse_number("1.234,50 €", COMMA), parse_number("12 %")
    (1234.5, 1234.5, None)
    >>> parse_number("(1,200)", POINT), parse_number("12,5", POINT), parse_number("12,5", COMMA)
    (-1200.0, None, 12.5)
    """
    if not style:
        return plain_number(text)
    text = text.strip()
    if bracketed := text.startswith("(") and text.endswith(")"):  # as bookkeepers write a loss
        text = text[1:-1].strip()
    if style == POINT and (plain := plain_number(text)) is not None:
        return -plain if bracketed else plain
    around = AROUND.match(text)
    if around is None:
        return None
    digits = around["digits"].rstrip(SPACES)
    if not (WITH_COMMA if style == COMMA else WITH_POINT).fullmatch(digits):
        return None
    digits = MARKS.sub("", digits)
    digits = (
        digits.replace(".", "").replace(",", ".") if style == COMMA else digits.replace(",", "")
    )
    negative = bracketed ^ any(
        around[name] in ("-", "\u2212") for name in ("sign", "inner") if around[name]
    )
    value = plain_number(digits)
    return value if value is None or not negative else -value


def plain_number(text: str) -> float | None:
    """A number as Python reads it."""
    try:
        return float(text)
    except ValueError:
        return None
