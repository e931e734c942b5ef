"""Numbers as a document holds them: curves as float32, matrices as bytes, both in Base64."""

from __future__ import annotations

import base64
import itertools
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA = 1
# the most of each, as in BOUNDS of view/web/document.js
POINTS, ROWS, LOOKS, LAYERS = 20_000, 64, 256, 64
PICTURES, SAMPLES, FINDINGS, WORDS, RUNS = 32, 24, 20, 200, 64
AS_THEY_ARE = 64  # numbers of a curve that are written in decimals
DIGITS = 6
MISSING = 255  # the byte that says that there is no number
LEVELS = 254

Floats = NDArray[np.float64]


def finite(value: float | None, digits: int = DIGITS) -> float | None:
    """A number to so many significant digits; None where it is not finite.

    >>> finite(0.123456789), finite(float("nan")), finite(3.0)
    (0.123457, None, 3.0)
    """
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


NO_BREAK = "\u00a0"
TIMES = f"{NO_BREAK}·{NO_BREAK}"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# a number in a sentence; not one in a name, a call or a version: lr=1e-3, layer1, 2.13.0, 1,000
IN_PROSE = re.compile(
    r"(?<![\w.,=\[/·^])(?<!\w\()([-+]?)(\d+(?:\.\d+)?)(?:e([-+]?\d+))?(?![\w(]|[.,]\d)"
)
# the parts of a document that are sentences, or stand in one
PROSE = frozenset({"sentence", "basis", "explanation", "consequence", "why", "advice", "measure"})
PROSE |= {"observed", "expected", "did", "notes", "note", "meaning", "reason", "example", "names"}


def number_text(value: float | None, digits: int = 4) -> str:
    r"""A number as the page writes every number: `format` of view/web/numbers.js.

    No line breaks inside a number.

    >>> [number_text(value) for value in (1627.3, 23180.0, 8.63e-05, -0.25, 1.5e9)]
    ['1,627', '23,180', '8.63\xa0·\xa010⁻⁵', '−0.25', '1,500,000,000']
    """
    if value is None or not math.isfinite(value):
        return "not finite"
    size, sign = abs(value), "−" if value < 0 else ""
    if size == int(size) and size < 1e15:
        return f"{sign}{int(size):,}"
    if size < 1e-3 or size >= 1e7:
        mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        power = f"10{str(int(exponent)).translate(SUPERSCRIPT)}"
        return f"{sign}{power}" if mantissa == "1" else f"{sign}{mantissa}{TIMES}{power}"
    if size >= 10**digits:
        return f"{sign}{size:,.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    text = f"{size:,.{decimals}f}"
    return sign + (text.rstrip("0").rstrip(".") if "." in text else text)


def prose(text: str) -> str:
    r"""A sentence whose numbers are written as the page writes them.

    >>> prose("A rate of 8.63e-05 on 1438 samples ends at -0.30; use adam(lr=1e-3).")
    'A rate of 8.63\xa0·\xa010⁻⁵ on 1,438 samples ends at −0.30; use adam(lr=1e-3).'
    """

    def written(match: re.Match[str]) -> str:
        sign, digits, exponent = match.groups()
        sign = {"-": "−"}.get(sign, sign)
        value = float(f"{digits}e{exponent or 0}")
        if exponent is not None or 0 < value < 1e-3:
            known = len(digits.replace(".", "").lstrip("0"))
            return str(sign) + number_text(value, max(known, 2))
        whole, dot, rest = digits.partition(".")
        year = not dot and 1900 <= int(whole) < 2100
        if not year and len(whole) > 3 and whole[0] != "0":
            whole = f"{int(whole):,}"
        return f"{sign}{whole}{dot}{rest}"

    return re.sub(r"(?<=\d) ?%", f"{NO_BREAK}%", IN_PROSE.sub(written, text))


def readable(content: Any, key: str = "") -> Any:
    """A document whose sentences have their numbers as the page writes them."""
    if isinstance(content, dict):
        return {name: readable(entry, name) for name, entry in content.items()}
    if isinstance(content, list):
        return [readable(entry, key) for entry in content]
    return prose(content) if isinstance(content, str) and key in PROSE else content


def duration(seconds: float | None) -> tuple[float | None, str]:
    """A time in the unit in which it is easy to read.

    >>> duration(0.02187), duration(3.14159), duration(7260)
    ((22.0, 'ms'), (3.14, 's'), (121.0, 'min'))
    """
    value = seconds or 0.0
    if value < 1:
        return finite(1000 * value, 2), "ms"
    return (finite(value, 3), "s") if value < 600 else (finite(value / 60, 3), "min")


def time_text(seconds: float | None) -> str:
    r"""A time with its unit.

    >>> time_text(0.02187)
    '22\xa0ms'
    """
    value, unit = duration(seconds)
    return f"{number_text(value)}{NO_BREAK}{unit}"


def figures(rows: Sequence[tuple[str, Any, str]]) -> list[dict[str, Any]]:
    """The few numbers that are shown large, from (name, value, unit)."""
    return [
        {
            "name": name,
            "value": finite(value, 4) if isinstance(value, float) else value,
            **({"unit": unit} if unit else {}),
        }
        for name, value, unit in rows
    ]


def facts(rows: Sequence[tuple[str, Any]]) -> list[dict[str, str]]:
    """Facts from (name, value), those without a value left out."""
    return [{"name": name, "value": str(value)} for name, value in rows if value]


def metric_title(name: str) -> str:
    """A metric as the page calls it."""
    return {"r2": "R²"}.get(name, name)


def pack_numbers(values: Sequence[float | None] | Floats) -> Any:
    """Numbers as decimals where they are few, else as little-endian float32 in Base64."""
    if len(values) <= AS_THEY_ARE:
        return [finite(None if value is None else float(value)) for value in values]
    row = np.array([math.nan if value is None else value for value in values], dtype="<f4")
    row[np.isinf(row)] = math.nan
    return {"f32": base64.b64encode(row.tobytes()).decode()}


def unpack_numbers(packed: Any) -> list[float | None]:
    """The numbers that `pack_numbers` wrote; None where one was not finite."""
    if not isinstance(packed, dict):
        return [None if value is None else float(value) for value in packed]
    row = np.frombuffer(base64.b64decode(packed["f32"]), dtype="<f4")
    return [float(value) if math.isfinite(value) else None for value in row]


def pack_steps(steps: Sequence[int]) -> Any:
    """Steps as they are, or as first, every and count where they are evenly spaced.

    >>> pack_steps([0, 10, 20, 30]), pack_steps([1, 2, 5])
    ({'first': 0, 'every': 10, 'count': 4}, [1, 2, 5])
    """
    if len(steps) > 3:
        every = steps[1] - steps[0]
        if all(b - a == every for a, b in itertools.pairwise(steps)):
            return {"first": int(steps[0]), "every": int(every), "count": len(steps)}
    return [int(step) for step in steps]


def unpack_steps(packed: Any) -> list[int]:
    """The steps that `pack_steps` wrote."""
    if isinstance(packed, dict):
        first, every = packed["first"], packed["every"]
        return [first + every * number for number in range(packed["count"])]
    return list(packed)


def pack_matrix(values: Any, scale: str = "linear") -> dict[str, Any]:
    """A matrix [rows, columns] in 8 bits, from its least to its largest finite number.

    On a "log" scale with zeros, byte 0 stands for 0, and the others are spread over what is above.
    What is not finite is missing.
    """
    zeros = False
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    known = np.isfinite(table)
    if scale == "log":
        known &= table >= 0
        positive = table[known & (table > 0)]
        if not positive.size or positive.max() / positive.min() < 1.001:
            scale = "linear"
        else:
            # 12 decades at most: the bytes of what matters stay fine
            low, high = max(positive.min(), positive.max() * 1e-12), positive.max()
            inside = np.clip(np.where(known, table, low), low, None)
            share = np.log(inside / low) / math.log(high / low)
            zeros = bool((table[known] == 0).any())
            if zeros:
                share = np.where(table == 0, 0, (1 + share * (LEVELS - 1)) / LEVELS)
    if scale == "linear":
        low, high = (table[known].min(), table[known].max()) if known.any() else (0.0, 0.0)
        inside = np.where(known, table, low)
        share = (inside - low) / (high - low) if high > low else np.zeros_like(table)
    levels = np.where(known, np.round(share * LEVELS), MISSING)
    return {
        "rows": int(table.shape[0]),
        "columns": int(table.shape[1]),
        "lo": float(low),
        "hi": float(high),
        "scale": scale,
        "data": base64.b64encode(levels.astype(np.uint8).tobytes()).decode(),
        **({"zeros": True} if zeros else {}),
    }


def unpack_matrix(packed: dict[str, Any]) -> Floats:
    """The matrix that `pack_matrix` wrote, to its 8 bits; NaN where there is no number."""
    levels = np.frombuffer(base64.b64decode(packed["data"]), dtype=np.uint8).astype(np.float64)
    share, low, high = levels / LEVELS, packed["lo"], packed["hi"]
    if packed.get("zeros"):
        above = low * (high / low) ** ((levels - 1) / (LEVELS - 1))
        values = np.where(levels == 0, 0, above)
        return np.where(levels == MISSING, np.nan, values).reshape(packed["rows"], -1)
    values = low * (high / low) ** share if packed["scale"] == "log" else low + (high - low) * share
    table: Floats = np.where(levels == MISSING, np.nan, values)
    return table.reshape(packed["rows"], packed["columns"])


def group_rows(values: Floats, most: int) -> tuple[Floats, int]:
    """A matrix [units, columns] in at most `most` rows, each the mean of as many units, and of how
    many.
    """
    units = len(values)
    if units <= most:
        return values, 1
    width = -(-units // most)
    starts = range(0, units, width)
    with np.errstate(invalid="ignore"):
        rows = [np.nanmean(values[start : start + width], axis=0) for start in starts]
    return np.stack(rows), width
