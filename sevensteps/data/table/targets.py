"""What is to be predicted: classes, or amounts; and the rows that say it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from sevensteps.data.table.cells import Cells, concatenate_cells
from sevensteps.data.table.column_inference import RARE, ColumnInference
from sevensteps.data.table.options import TableOptions, reading_options
from sevensteps.data.table.table import Table
from sevensteps.errors import DataError, with_option

MAX_WHOLE_CLASSES = 20  # different whole numbers in the target that are classes; more are amounts
SURE_WHOLE_CLASSES = 10  # so few are classes, however rare some of them are


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of all rows of a table: places in the `classes`, whole numbers that stand for
    classes, or amounts; `used` says which rows have one.
    """

    name: str
    values: NDArray[numpy.float64] | NDArray[numpy.int64]
    used: NDArray[numpy.bool_]
    classes: tuple[str, ...] | None
    is_regression: bool

    def y(self, used: NDArray[numpy.bool_]) -> Tensor:
        """The targets of some rows, [N], where they are amounts [N, 1]."""
        y = torch.from_numpy(self.values[used])
        return y[:, None] if self.is_regression else y.long()


def read_targets(table: Table, name: str, options: TableOptions) -> Targets:
    """The targets of a table; rows without one are not used, unless gaps are refused. Raises
    `DataError`.
    """
    blocks = [block[name] for block in table.blocks([name])]
    if options.missing == "refuse":
        _refuse_gaps(blocks, name)
    cells = concatenate_cells(blocks)
    inference = ColumnInference(name, reading_options(options))
    inference.add(cells)
    if not inference.present_cells:
        raise DataError(f"{table.where}: the column {name} is empty, so it cannot be predicted")
    kind, style = inference.style(table.may_have_commas) or ("category", "")
    if name in table.classes:
        kind = "category"
    if kind == "date":
        raise DataError(
            f"{table.where}: {name} is a date, which is neither a class nor an amount; make it a "
            "number first"
        )
    if kind != "number":
        return _classes(table, name, cells, inference)
    if inference.odd_cells.get((kind, style)) and not reading_options(options).lenient:
        inference.column()  # raises
    numbers = cells.numbers(kind, style)
    used = ~numpy.isnan(numbers)
    present = numbers[used]
    distinct, counts = numpy.unique(present, return_counts=True)
    are_classes = (
        len(distinct) <= MAX_WHOLE_CLASSES
        and bool((present == numpy.floor(present)).all())
        and (len(distinct) <= SURE_WHOLE_CLASSES or int(counts.min()) >= RARE)
    )
    return Targets(name, numbers, used, None, not are_classes)


def _classes(table: Table, name: str, cells: Cells, inference: ColumnInference) -> Targets:
    cells = cells.as_texts()
    used = ~cells.missing
    classes = sorted({cells.texts[place] for place in numpy.unique(cells.values[used]).tolist()})
    if name in table.classes:
        classes.sort(key=table.classes[name].index)
    elif len(classes) > max(20, inference.present_cells / 2):
        raise DataError(
            f"{table.where}: {name} has {len(classes):,} different texts in "
            f"{inference.present_cells:,} rows: they are names, which cannot be predicted; choose "
            "another column"
        )
    class_of = {text: place for place, text in enumerate(classes)}
    codes = numpy.array([*(class_of.get(text, -1) for text in cells.texts), -1])
    return Targets(name, codes[cells.values], used, tuple(classes), False)


def _refuse_gaps(blocks: list[Cells], name: str) -> None:
    for block in blocks:
        if block.missing.any():
            raise DataError(
                f"{block.location(int(block.missing.argmax()))} has no {name}, and what is to be "
                f"predicted cannot be filled in; leave such rows out with "
                f"{with_option('missing', 'fill')}"
            )
