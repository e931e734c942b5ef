"""Columns of Arrow, which Parquet files and Hugging Face datasets are made of, as cells."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy

from sevensteps.data.table.cells import Cells, Kind
from sevensteps.errors import DataError

MAX_TEXT = 10_000  # characters
DAY = {
    "s": 86_400,
    "ms": 86_400_000,
    "us": 86_400_000_000,
    "ns": 86_400_000_000_000,
}  # units of time in a day


def needed(what: str) -> None:
    """Raise `DataError` with what to install where pyarrow is missing; `what` is read with it."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise DataError(
            f"{what}: needs pyarrow, which is not installed; install it with: pip install "
            '"sevensteps[parquet]"'
        ) from None


def kind_of(type: Any) -> Kind | None:
    """What cells of an Arrow type are; None for what cannot be an input."""
    import pyarrow.types as types

    if types.is_dictionary(type):
        return kind_of(type.value_type)
    if types.is_boolean(type):
        return "flag"
    if (
        types.is_integer(type)
        or types.is_floating(type)
        or types.is_decimal(type)
        or types.is_null(type)
    ):
        return "number"
    if types.is_date(type) or types.is_timestamp(type):
        return "date"
    if types.is_string(type) or types.is_large_string(type) or types.is_string_view(type):
        return "category"
    return None


def refuse(name: str, type: Any, where: str) -> None:
    """Raise `DataError` for a column that cannot be an input."""
    if kind_of(type) is None:
        raise DataError(
            f"{where}: the column {name} holds "
            f"{textwrap.shorten(str(type), 60, placeholder=' …')}, which is neither numbers, "
            f'yes and no, dates nor texts; leave it out with drop=("{name}",)'
        )


def cells(name: str, column: Any, where: str, start: int = 0) -> Cells:
    """A column, a `pyarrow.ChunkedArray`, as cells. Raises `DataError` for texts that are none, or
    too long to be inputs.
    """
    import pyarrow
    import pyarrow.types as types

    kind, held = kind_of(column.type), column
    assert kind is not None, f"{name} was not refused"
    if kind == "category":
        return _texts(name, held, where, start)
    if types.is_dictionary(held.type):
        held = held.cast(held.type.value_type)
    unit = 1.0
    if types.is_timestamp(held.type):
        unit, held = DAY[held.type.unit], held.cast(pyarrow.int64())
    elif types.is_date64(held.type):
        unit, held = DAY["ms"], held.cast(pyarrow.int64())
    elif types.is_date32(held.type):
        held = held.cast(pyarrow.int32())
    elif types.is_boolean(held.type):
        held = held.cast(pyarrow.uint8())
    values = numpy.asarray(held.cast(pyarrow.float64(), safe=False).to_numpy(), dtype=numpy.float64)
    return Cells(kind, values / unit if kind == "date" else values, (), where, start)


def _texts(name: str, column: Any, where: str, start: int) -> Cells:
    import pyarrow
    import pyarrow.types as types

    if not types.is_dictionary(column.type):
        column = column.cast(pyarrow.large_string()).dictionary_encode()
    held = column.unify_dictionaries().combine_chunks()
    if isinstance(held, pyarrow.ChunkedArray):  # of no row
        held = pyarrow.array([], held.type)
    try:
        texts = held.dictionary.to_pylist()
    except UnicodeDecodeError as failure:
        raise DataError(
            f"{where}: the column {name} holds a text that is not UTF-8: {failure.reason}"
        ) from None
    if any(text is not None and len(text) > MAX_TEXT for text in texts):
        raise DataError(
            f"{where}: the column {name} has a text of more than {MAX_TEXT:,} characters; texts "
            "that long cannot be inputs; "
            f'leave it out with drop=("{name}",)'
        )
    codes = numpy.asarray(
        held.indices.cast(pyarrow.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
    )
    return Cells.coded(codes, texts, where, start)
