"""From a table to `Data`: infers the columns, encodes the target, splits, fills missing cells.

The same for every file such a table can come from, a block of rows at a time; only the targets are
in memory whole.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.dataset import Data
from sevensteps.data.formats.arrays import from_arrays
from sevensteps.data.inputs import select_samples
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.split import split_indices
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.data.table.cells import Cells, concatenate_cells
from sevensteps.data.table.column_encoding import Column, Encoding
from sevensteps.data.table.column_inference import ColumnInference, infer_column
from sevensteps.data.table.table import Table, name_columns, row_count, select_rows
from sevensteps.errors import DataError, nearest
from sevensteps.seeds import generator

MAX_WHOLE_CLASSES = 20  # different whole numbers in the target that are classes; more are amounts


class TableOptions(Protocol):
    """The arguments of a source that reads a table; `text` is the notation that loads it again."""

    @property
    def text(self) -> str: ...
    @property
    def target(self) -> str | None: ...
    @property
    def drop(self) -> tuple[str, ...]: ...
    @property
    def missing(self) -> str: ...
    @property
    def valid(self) -> float: ...
    @property
    def scale(self) -> str: ...
    @property
    def target_scale(self) -> str: ...
    @property
    def seed(self) -> int: ...


def check_options(options: Any) -> None:
    """Raise `ArgumentError` for options that make no sense; a single name to drop becomes a tuple
    of one.
    """
    drop = (options.drop,) if isinstance(options.drop, str) else tuple(map(str, options.drop))
    vars(options).update(drop=drop)
    one_of("missing", options.missing, ("refuse", "fill", "drop"))
    number("valid", options.valid, above=0, below=1)
    one_of("scale", options.scale, ("default", *SCALINGS))
    one_of("target_scale", options.target_scale, ("default", "none", "standardize"))
    whole("seed", options.seed)


@dataclass(frozen=True, eq=False)
class TableContents:
    """What one or two passes over a table tell of it.

    `y` are the targets of the rows that are used: places in `classes`, whole numbers that stand for
    classes, or amounts `[N, 1]` where it `is_regression`. `train` and `valid` are places among
    these rows, in the order drawn; `used_rows` says which rows of the table they are, where some
    are left out.
    """

    encoding: Encoding
    y: Tensor
    classes: tuple[str, ...] | None
    is_regression: bool
    train: Int[Tensor, "T"]
    valid: Int[Tensor, "V"]
    used_rows: NDArray[numpy.bool_] | None


def inspect_table(table: Table, options: TableOptions) -> TableContents:
    """Infers the columns of a table, reads its targets, splits it and learns what fills missing
    cells; memory is taken for the targets and one block of rows. Raises `DataError`.
    """
    target = target_column(table, options)
    names = [name for name in table.names if name not in (target, *options.drop)]
    if not names:
        raise DataError(f"{table.where}: no column is left to predict {target} from")
    inferences = [ColumnInference(name) for name in names]
    target_blocks: list[Cells] = []
    complete: list[NDArray[numpy.bool_]] = []  # which rows of each block, for missing="drop"
    for block in table.blocks([*names, target]):
        if options.missing == "drop":
            complete.append(~numpy.logical_or.reduce([cells.missing for cells in block.values()]))
            block = select_rows(block, complete[-1])
        for inference in inferences:
            inference.add(block[inference.name])
        target_blocks.append(block[target])
    used_rows = numpy.concatenate(complete) if complete else None
    if not sum(map(len, target_blocks)):
        raise DataError(
            f'{table.where}: every row lacks something; use missing="fill", or leave out with '
            "drop=… what is often missing"
        )
    y, classes, is_regression = encode_targets(table, target, target_blocks)
    target_blocks.clear()
    columns = [inference.column() for inference in inferences]
    train_rows = table.train_rows
    if train_rows is not None:
        if used_rows is not None:
            train_rows = int(used_rows[:train_rows].sum())
        train, valid = torch.arange(len(y)).tensor_split([train_rows])
    else:
        strata = (
            None
            if is_regression
            else y
            if classes is not None
            else torch.unique(y, return_inverse=True)[1].reshape(-1)
        )
        train, valid = split_indices(
            len(y), options.valid, generator(options.seed, "split"), strata
        )
    if options.missing == "fill":
        columns = _with_fill_values(table, columns, train, len(y))
    return TableContents(
        Encoding(tuple(columns)),
        y,
        classes,
        is_regression,
        train,
        valid,
        used_rows if used_rows is None or not used_rows.all() else None,
    )


def load_table(table: Table, options: TableOptions) -> Data:
    """`Data` of a table, in memory."""
    contents = inspect_table(table, options)
    return table_data(table, options, contents, encode_table(table, contents))


def table_data(
    table: Table,
    options: TableOptions,
    contents: TableContents,
    x: Float[Tensor, "N F"] | StreamedInputs,
) -> Data:
    """`Data` from the contents of a table and the raw inputs of all rows that are used, in memory
    or on disk.
    """
    parts = [select_samples(x, contents.y, places) for places in (contents.train, contents.valid)]
    on_disk = (
        "; read from disk in windows, being larger than memory"
        if isinstance(x, StreamedInputs)
        else ""
    )
    del x  # what is scaled next takes as much again
    scale, target_scale = (
        "standardize" if scaling == "default" else scaling
        for scaling in (options.scale, options.target_scale)
    )
    data = from_arrays(
        *parts[0],
        valid=parts[1],
        features=contents.encoding.features,
        scale=scale,
        classes=contents.classes,
        target_scale=target_scale if contents.is_regression else "none",
        name=options.text,
    )
    return dataclasses.replace(
        data,
        encoding=contents.encoding,
        about=describe_table(table, options, contents) + on_disk,
    )


def describe_table(table: Table, options: TableOptions, contents: TableContents) -> str:
    """One line about the data: rows, columns, inputs, and the column to predict."""
    used = contents.used_rows
    left_out = f", {int((~used).sum()):,} rows left out" if used is not None else ""
    columns, inputs = len(contents.encoding.columns), len(contents.encoding.features)
    return (
        f"{len(contents.y):,} rows of {table.title}{left_out}: {columns} columns as {inputs} "
        f"inputs, {options.target} to predict"
    )


def encode_table(table: Table, contents: TableContents) -> Float[Tensor, "N F"]:
    """The raw inputs of all rows that are used, float64."""
    x = torch.empty(len(contents.y), len(contents.encoding.features), dtype=torch.float64)
    row = first = 0
    for block in table.blocks(contents.encoding.names):
        count = row_count(block)
        if contents.used_rows is not None:
            block = select_rows(block, contents.used_rows[row : row + count])
        row += count
        inputs = contents.encoding.encode(block)
        x[first : first + len(inputs)] = torch.from_numpy(inputs)
        first += len(inputs)
    return x


def target_column(table: Table, options: TableOptions) -> str:
    """The column to predict. Raises `DataError` where it, or one to drop, does not exist."""
    if options.target is None:
        raise DataError(
            f"{table.where}: say which column to predict, as in --target {table.names[-1]}; there "
            f"are: {name_columns(table.names)}"
        )
    for option, names in (("target", (options.target,)), ("drop", options.drop)):
        for name in names:
            if name not in table.names:
                raise DataError(
                    f"{table.where}: {option} '{name}' is no column; {nearest(name, table.names)}"
                )
    return options.target


def encode_targets(
    table: Table, name: str, blocks: list[Cells]
) -> tuple[Tensor, tuple[str, ...] | None, bool]:
    """The targets: places in the classes that are named, whole numbers of classes, or amounts; and
    whether they are amounts.
    """
    for block in blocks:
        if block.missing.any():
            raise DataError(
                f"{block.location(int(block.missing.argmax()))} has no {name}, and what is to be "
                'predicted cannot be filled in; leave such rows out with missing="drop"'
            )
    cells = concatenate_cells(blocks)
    kind = "category" if name in table.classes else infer_column(name, cells).kind
    if kind == "date":
        raise DataError(
            f"{table.where}: {name} is a date, which is neither a class nor an amount; make it a "
            "number first"
        )
    if kind != "number":
        cells = cells.as_texts()
        classes = sorted({cells.texts[place] for place in numpy.unique(cells.values).tolist()})
        if name in table.classes:
            classes.sort(key=table.classes[name].index)
        class_of = {text: place for place, text in enumerate(classes)}
        codes = numpy.array([class_of.get(text, -1) for text in cells.texts])
        return torch.from_numpy(codes[cells.values]), tuple(classes), False
    values = torch.from_numpy(cells.numbers("number"))
    if bool((values == values.floor()).all()) and len(values.unique()) <= MAX_WHOLE_CLASSES:
        return values.long(), None, False
    return values[:, None], None, True


def _with_fill_values(
    table: Table, columns: list[Column], train: Tensor, count: int
) -> list[Column]:
    """The columns with what stands in for a missing number: the mean of the others in the training
    part.
    """
    in_train = numpy.zeros(count, dtype=bool)
    in_train[train.numpy()] = True
    numeric = [column for column in columns if column.kind != "category"]
    sums: dict[str, list[float]] = {column.name: [] for column in numeric}
    counts = dict.fromkeys(sums, 0)
    row = 0
    for block in table.blocks(list(sums)) if sums else ():
        length = row_count(block)
        for column in numeric:
            numbers = block[column.name].numbers(column.kind)[in_train[row : row + length]]
            numbers = numbers[~numpy.isnan(numbers)]
            sums[column.name].append(float(numbers.sum()))
            counts[column.name] += len(numbers)
        row += length
    means = {
        name: math.fsum(block_sums) / counts[name] if counts[name] else 0.0
        for name, block_sums in sums.items()
    }
    return [dataclasses.replace(column, fill=means.get(column.name, 0.0)) for column in columns]
