"""From a table to `Data`: infers the columns, encodes the target, splits, fills missing cells.

The same for every file such a table can come from, a block of rows at a time; only the targets are
in memory whole.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from sevensteps.data.dataset import Data
from sevensteps.data.formats.arrays import from_arrays
from sevensteps.data.inputs import select_samples
from sevensteps.data.split import split_indices
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.data.table.column_encoding import Column, Encoding
from sevensteps.data.table.column_inference import ColumnInference
from sevensteps.data.table.notes import notes_of
from sevensteps.data.table.options import TableOptions, reading_options
from sevensteps.data.table.suggest_target import suggested_target
from sevensteps.data.table.table import Table, name_columns, row_count, select_rows
from sevensteps.data.table.targets import Targets, read_targets
from sevensteps.errors import DataError, nearest, with_option
from sevensteps.seeds import generator


@dataclass(frozen=True, eq=False)
class TableContents:
    """What one or two passes over a table tell of it.

    `y` are the targets of the rows that are used: places in `classes`, whole numbers that stand for
    classes, or amounts `[N, 1]` where it `is_regression`. `train` and `valid` are places among
    these rows, in the order drawn; `used_rows` says which rows of the table they are, where some
    are left out. `notes` say, a line each, what was done to the table.
    """

    encoding: Encoding
    y: Tensor
    classes: tuple[str, ...] | None
    is_regression: bool
    train: Int[Tensor, "T"]
    valid: Int[Tensor, "V"]
    used_rows: NDArray[numpy.bool_] | None
    notes: tuple[str, ...] = ()


def inspect_table(table: Table, options: TableOptions) -> TableContents:
    """Infers the columns of a table, reads its targets, splits it and learns what fills missing
    cells; memory is taken for the targets and one block of rows. Raises `DataError`.
    """
    target = target_column(table, options)
    names = [name for name in table.names if name not in (target, *options.drop)]
    unusable = {name: table.unusable[name] for name in names if name in table.unusable}
    names = [name for name in names if name not in unusable]
    if not names:
        raise DataError(f"{table.where}: no column is left to predict {target} from")
    targets = read_targets(table, target, options)
    used, without_target = targets.used, int((~targets.used).sum())
    inferences = infer_columns(table, names, options, used)
    comma = table.may_have_commas or any(column.has_decimal_comma for column in inferences)
    left_out = useless_columns(inferences, options.keep, comma)
    inferences = [inference for inference in inferences if inference.name not in left_out]
    left_out |= unusable
    if options.missing == "drop":
        used = _complete_rows(table, [inference.name for inference in inferences], used)
        if not used.any():
            raise DataError(
                f"{table.where}: every row lacks something; fill the gaps with "
                f"{with_option('missing', 'fill')}, or leave out what is often missing with "
                f"{with_option('drop', max(inferences, key=lambda column: column.gaps).name)}"
            )
        inferences = infer_columns(
            table, [inference.name for inference in inferences], options, used
        )
    columns = [inference.column(comma) for inference in inferences]
    y = targets.y(used)
    train, valid = _split(table, options, targets, y, used)
    if options.missing == "fill":
        columns = _with_fill_values(table, columns, train, used)
    incomplete = int(used.size - used.sum()) - without_target
    return TableContents(
        Encoding(tuple(columns)),
        y,
        targets.classes,
        targets.is_regression,
        train,
        valid,
        None if used.all() else used,
        notes_of(table, options, targets, inferences, columns, left_out, comma, incomplete),
    )


def infer_columns(
    table: Table,
    names: list[str],
    options: TableOptions,
    used: NDArray[numpy.bool_] | None = None,
) -> list[ColumnInference]:
    """What the rows that are used tell of the columns."""
    inferences = [ColumnInference(name, reading_options(options)) for name in names]
    row = 0
    for block in table.blocks(names):
        count = row_count(block)
        if used is not None:
            block = select_rows(block, used[row : row + count])
        row += count
        for inference in inferences:
            inference.add(block[inference.name])
    return inferences


def useless_columns(
    inferences: list[ColumnInference], keep: tuple[str, ...], comma: bool
) -> dict[str, str]:
    """The columns from which nothing can be learned, and why. Raises `DataError` where none would
    be left.
    """
    left_out = {
        inference.name: reason
        for inference in inferences
        if inference.name not in keep and (reason := inference.useless(comma))
    }
    if len(left_out) < len(inferences):
        return left_out
    # the number of the row may be all there is to predict from, as the time is in a series
    for name in [name for name, reason in left_out.items() if reason == "counts the rows"]:
        del left_out[name]
        return left_out
    name, reason = next(iter(left_out.items()))
    raise DataError(
        f"{inferences[0].where}: no column is left to predict from: {name} {reason}"
        + (f", and {len(left_out) - 1} more like it" if len(left_out) > 1 else "")
    )


def _complete_rows(
    table: Table, names: list[str], used: NDArray[numpy.bool_]
) -> NDArray[numpy.bool_]:
    """Of the rows that are used, those that lack nothing."""
    complete = [
        ~numpy.logical_or.reduce([cells.missing for cells in block.values()])
        for block in table.blocks(names)
    ]
    rows: NDArray[numpy.bool_] = used & numpy.concatenate(complete)
    return rows


def _split(
    table: Table,
    options: TableOptions,
    targets: Targets,
    y: Tensor,
    used: NDArray[numpy.bool_],
) -> tuple[Tensor, Tensor]:
    """The places of the training and of the validation part among the rows that are used."""
    if table.train_rows is not None:
        train, valid = torch.arange(len(y)).tensor_split([int(used[: table.train_rows].sum())])
        return train, valid
    strata = None
    if not targets.is_regression:
        strata = y if targets.classes is not None else torch.unique(y, return_inverse=True)[1]
        strata = strata.reshape(-1)
    return split_indices(len(y), options.valid, generator(options.seed, "split"), strata)


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
        notes=contents.notes,
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
        suggested = suggested_target(table).column
        raise DataError(
            f"{table.where}: say which column to predict, as in: "
            f"{with_option('target', suggested)}; there are: {name_columns(table.names)}"
        )
    check_columns(table, options)
    return options.target


def check_columns(table: Table, options: TableOptions) -> None:
    """Raise `DataError` where a column that is named does not exist."""
    target = () if options.target is None else (options.target,)
    for option, names in (("target", target), ("drop", options.drop), ("keep", options.keep)):
        for name in names:
            if name not in table.names:
                raise DataError(
                    f"{table.where}: {option} '{name}' is no column; {nearest(name, table.names)}"
                )


def _with_fill_values(
    table: Table, columns: list[Column], train: Tensor, used: NDArray[numpy.bool_]
) -> list[Column]:
    """The columns with what stands in for a missing number: the mean of the others in the training
    part, where cells are missing there with a flag.
    """
    in_train = numpy.zeros(len(used), dtype=bool)
    in_train[numpy.flatnonzero(used)[train.numpy()]] = True
    numeric = [column for column in columns if column.kind != "category"]
    sums: dict[str, list[float]] = {column.name: [] for column in numeric}
    counts, gaps = dict.fromkeys(sums, 0), dict.fromkeys(sums, 0)
    row = 0
    for block in table.blocks(list(sums)) if sums else ():
        length = row_count(block)
        for column in numeric:
            numbers = block[column.name].numbers(column.kind, column.style)
            numbers = numbers[in_train[row : row + length]]
            present = numbers[~numpy.isnan(numbers)]
            sums[column.name].append(float(present.sum()))
            counts[column.name] += len(present)
            gaps[column.name] += len(numbers) - len(present)
        row += length
    means = {
        name: math.fsum(block_sums) / counts[name] if counts[name] else 0.0
        for name, block_sums in sums.items()
    }
    return [
        dataclasses.replace(
            column, fill=means.get(column.name, 0.0), flag=gaps.get(column.name, 0) > 0
        )
        for column in columns
    ]
