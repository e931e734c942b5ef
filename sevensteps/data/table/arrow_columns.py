"""Columns of Arrow, which Parquet files and Hugging Face datasets are made of, as cells."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy

from sevensteps.data.table.cell_parsing import Kind
from sevensteps.data.table.cells import Cells
from sevensteps.errors import DataError, with_option

MAX_TEXT = 10_000  # characters of a text that are looked at
UNITS_PER_DAY = {
    "s": 86_400,
    "ms": 86_400_000,
    "us": 86_400_000_000,
    "ns": 86_400_000_000_000,
}


def require_pyarrow(what: str) -> None:
    """Raise `DataError` that says what to install where pyarrow is missing; `what` needs it."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise DataError(
            f"{what}: needs pyarrow, which is not installed; install it with: pip install "
            '"sevensteps[parquet]"'
        ) from None


def kind_of_type(arrow_type: Any) -> Kind | None:
    """What cells of an Arrow type are; None for what cannot be an input."""
    import pyarrow.types as types

    if types.is_dictionary(arrow_type):
        return kind_of_type(arrow_type.value_type)
    if types.is_boolean(arrow_type):
        return "flag"
    if (
        types.is_integer(arrow_type)
        or types.is_floating(arrow_type)
        or types.is_decimal(arrow_type)
        or types.is_null(arrow_type)
    ):
        return "number"
    if types.is_date(arrow_type) or types.is_timestamp(arrow_type):
        return "date"
    if (
        types.is_string(arrow_type)
        or types.is_large_string(arrow_type)
        or types.is_string_view(arrow_type)
    ):
        return "category"
    return None


def type_text(arrow_type: Any) -> str:
    """The name of a type, in some 60 characters."""
    return textwrap.shorten(str(arrow_type), 60, placeholder=" …")


def unusable_columns(types: Mapping[str, Any]) -> dict[str, str]:
    """The columns that cannot be inputs, and why."""
    return {
        name: f"holds {type_text(arrow_type)}"
        for name, arrow_type in types.items()
        if kind_of_type(arrow_type) is None
    }


def refuse_type(name: str, arrow_type: Any, where: str) -> None:
    """Raise `DataError` for a column that cannot be an input."""
    if kind_of_type(arrow_type) is None:
        raise DataError(
            f"{where}: the column {name} holds {type_text(arrow_type)}, which is neither numbers, "
            f"yes and no, dates nor texts; leave it out with {with_option('drop', name)}"
        )


def to_cells(name: str, column: Any, where: str, start: int = 0) -> Cells:
    """A column, a `pyarrow.ChunkedArray`, as cells. Raises `DataError` for texts that are not
    UTF-8.
    """
    import pyarrow
    import pyarrow.types as types

    kind = kind_of_type(column.type)
    assert kind is not None, f"{name} was not refused"
    if kind == "category":
        return _text_cells(name, column, where, start)
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    units_per_day = 1.0
    if types.is_timestamp(column.type):
        units_per_day, column = UNITS_PER_DAY[column.type.unit], column.cast(pyarrow.int64())
    elif types.is_date64(column.type):
        units_per_day, column = UNITS_PER_DAY["ms"], column.cast(pyarrow.int64())
    elif types.is_date32(column.type):
        column = column.cast(pyarrow.int32())
    elif types.is_boolean(column.type):
        column = column.cast(pyarrow.uint8())
    numbers = column.cast(pyarrow.float64(), safe=False).to_numpy()
    values = numpy.asarray(numbers, dtype=numpy.float64)
    return Cells(kind, values / units_per_day if kind == "date" else values, (), where, start)


def _text_cells(name: str, column: Any, where: str, start: int) -> Cells:
    import pyarrow
    import pyarrow.types as types

    if not types.is_dictionary(column.type):
        column = column.cast(pyarrow.large_string()).dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pyarrow.ChunkedArray):  # of no row
        array = pyarrow.array([], array.type)
    try:
        texts = array.dictionary.to_pylist()
    except UnicodeDecodeError as failure:
        raise DataError(
            f"{where}: the column {name} holds a text that is not UTF-8: {failure.reason}"
        ) from None
    texts = [None if text is None else text[:MAX_TEXT] for text in texts]
    codes = numpy.asarray(
        array.indices.cast(pyarrow.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
    )
    return Cells.from_codes(codes, texts, where, start)
