"""Dates and times as people write them, and the days since 1970 that they are."""

from __future__ import annotations

import datetime
import functools
import math
import re

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero",
            "feb february februar février febrero",
            "mar march märz mars marzo mrz",
            "apr april avril abril",
            "may mai mayo",
            "jun june juni juin junio",
            "jul july juli juillet julio",
            "aug august août agosto",
            "sep sept september septembre septiembre",
            "oct october oktober octobre octubre okt",
            "nov november novembre noviembre",
            "dec december dezember décembre diciembre dez",
        ),
        1,
    )
    for name in names.split()
}
WEEKDAY = r"(?:[^\W\d_]{2,10}\.?,?\s+)?"
TIME = (
    r"(?:(?:\s*T\s*|,?\s+|:)(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d+)?))?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
FORMS = tuple(
    re.compile(form + TIME, re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
        r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4}|\d{2})",
        WEEKDAY
        + r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?[-\s/]+(?P<name>[^\W\d_]{3,10})\.?[-,\s/]+"
        + r"(?P<year>\d{4}|\d{2})",
        WEEKDAY
        + r"(?P<name>[^\W\d_]{3,10})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})",
        r"(?P<name>[^\W\d_]{3,10})\.?,?[-\s/]+(?P<year>\d{4})",
        r"(?P<year>\d{4})[-/](?P<month>\d{1,2})",
    )
)
SLASHED = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[-/])(?P<second_part>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})"
    + TIME,
    re.IGNORECASE,
)
DIGITS = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def days_since_1970(text: str, style: str = "") -> float | None:
    """A date, with or without a time, as days; None where it is none in this style. A time without
    a zone is taken as it stands.

    >>> days_since_1970("1970/01/03 12:00"), days_since_1970("Feb 1, 1970")
    (2.5, 31.0)
    >>> days_since_1970("2/1/1970"), days_since_1970("2/1/1970", "day first")
    (None, 1.0)
    """
    if style == "20121231":
        if not DIGITS.fullmatch(text):
            return None
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    moment = _iso(text) or _written(text, style)
    if moment is None:
        return None
    try:
        since = moment.replace(tzinfo=moment.tzinfo or datetime.UTC) - EPOCH
    except OverflowError:
        return None
    return since.total_seconds() / 86400


def format_days(days: float) -> str:
    """Days since 1970 as an ISO date, with the time where there is one."""
    try:
        moment = EPOCH + datetime.timedelta(days=days)
    except OverflowError:
        return f"{days} days after 1970"
    if days == math.floor(days):
        return moment.date().isoformat()
    return moment.replace(tzinfo=None).isoformat()


def _iso(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def _written(text: str, style: str) -> datetime.datetime | None:
    if len(text) > 50 or not any(mark.isdigit() for mark in text):
        return None
    for form in FORMS:
        if match := form.fullmatch(text):
            parts = match.groupdict()
            month = MONTHS.get((parts.get("name") or "").lower()) or int(parts.get("month") or 0)
            return _moment(parts, month, int(parts.get("day") or 1))
    if style not in ("day first", "month first") or not (match := SLASHED.fullmatch(text)):
        return None
    first, second = int(match["first"]), int(match["second_part"])
    month, day = (second, first) if style == "day first" else (first, second)
    return _moment(match.groupdict(), month, day)


def _moment(parts: dict[str, str | None], month: int, day: int) -> datetime.datetime | None:
    year = int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        year += 2000 if year < 69 else 1900  # as POSIX has it
    hour, second = int(parts["hour"] or 0), float((parts["second"] or "0").replace(",", "."))
    if half := (parts["half"] or "").lower():
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    try:
        moment = datetime.datetime(year, month, day, hour, int(parts["minute"] or 0))
    except ValueError:
        return None
    return moment.replace(tzinfo=_zone(parts["zone"])) + datetime.timedelta(seconds=second)


@functools.cache
def _zone(text: str | None) -> datetime.tzinfo | None:
    if text is None or text[0] not in "+-":
        return None
    sign, digits = (-1 if text[0] == "-" else 1), text[1:].replace(":", "")
    return datetime.timezone(
        sign * datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    )
