"""`Data` from a data frame of pandas, polars or Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sevensteps.data.dataset import Data
from sevensteps.data.table import arrow_columns
from sevensteps.data.table.options import TableOptions, check_options
from sevensteps.data.table.table import Block, Table
from sevensteps.data.table.table_to_data import load_table
from sevensteps.errors import DataError


@dataclass(frozen=True, eq=False, repr=False)
class FrameOptions(TableOptions):
    """The options of a frame, which has a name in place of a notation."""

    name: str

    @property
    def text(self) -> str:
        return self.name


def from_frame(
    frame: Any, target: str | None = None, *, name: str = "frame", **options: Any
) -> Data:
    """`Data` from a data frame of pandas or polars, or a table of pyarrow.

    `target` is the column to predict; the options are those of `csv`: `drop`, `keep`, `missing`,
    `dates`, `values`, `valid`, `scale`, `target_scale` and `seed`. Needs pyarrow: pip install
    "sevensteps[parquet]". Raises `DataError` where nothing could be learned from it.

    >>> import pyarrow
    >>> frame = pyarrow.table({"age": [3, 5, 8, 1] * 5, "kind": ["cat", "dog", "dog", "cat"] * 5})
    >>> from_frame(frame, target="kind").task.classes
    ('cat', 'dog')
    """
    chosen = FrameOptions(name, target=target, **options)
    check_options(chosen)
    return load_table(FrameTable(name, frame), chosen)


class FrameTable(Table):
    """A data frame as a table."""

    def __init__(self, name: str, frame: Any) -> None:
        arrow_columns.require_pyarrow(name)
        import pyarrow

        self.where = self.title = name
        columns = getattr(frame, "columns", None)
        if isinstance(frame, pyarrow.Table):
            columns = frame.column_names
        if columns is None or not hasattr(frame, "__getitem__"):
            raise DataError(
                f"{name}: a {type(frame).__name__} is no data frame; for arrays use "
                "from_arrays(x, y)"
            )
        self.names = [str(column) for column in columns]
        if len(set(self.names)) < len(self.names):
            raise DataError(f"{name}: two columns have the same name; give each a name of its own")
        self.columns = {str(column): _arrow(name, str(column), frame[column]) for column in columns}

        self.unusable = arrow_columns.unusable_columns(
            {name: column.type for name, column in self.columns.items()}
        )

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        for name in names:
            arrow_columns.refuse_type(name, self.columns[name].type, self.where)
        yield {name: arrow_columns.to_cells(name, self.columns[name], self.where) for name in names}


def _arrow(where: str, name: str, column: Any) -> Any:
    """A column as a `pyarrow.ChunkedArray`; one of mixed objects as texts."""
    import pyarrow

    if isinstance(column, pyarrow.ChunkedArray):
        return column
    try:
        array = column.to_arrow() if hasattr(column, "to_arrow") else pyarrow.array(column)
    except (pyarrow.ArrowException, TypeError, ValueError):
        try:
            array = pyarrow.array(
                [None if cell is None or cell != cell else str(cell) for cell in column]
            )
        except (TypeError, ValueError) as failure:
            raise DataError(f"{where}: the column {name} cannot be read: {failure}") from None
    return pyarrow.chunked_array([array]) if isinstance(array, pyarrow.Array) else array
