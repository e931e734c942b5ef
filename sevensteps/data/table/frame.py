"""From a table with named columns to `Data`: what each column is of, what is to be predicted, how
it is split, what fills the gaps.

The same for every file such a table can come from, a block of rows at a time; only the targets are
held whole."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.dataset import Data
from sevensteps.data.formats.arrays import from_arrays
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.split import split
from sevensteps.data.streaming.streamed import Streamed
from sevensteps.data.table.cells import Cells, joined
from sevensteps.data.table.columns import Column, Encoding, Survey, infer
from sevensteps.errors import DataError, nearest
from sevensteps.seeds import generator

FEW = 20  # different whole numbers in the target that are read as classes; more are amounts

Block = dict[str, Cells]


class Frame(ABC):
    """A table with named columns, read a block of rows at a time, as often as it is asked for.

    `where` is its name in messages, `title` that in what is said of the data; of its rows the first
    `given` are the training part where it comes split. `classes` are the names, in order, of
    columns that are known to hold classes."""

    where: str
    title: str
    names: list[str]
    given: int | None = None
    classes: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @abstractmethod
    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """The cells of these columns, block by block, in the order of the rows. Raises
        `DataError`.
        """


class Asked(Protocol):
    """What may be asked of a table; `text` is the notation that makes the data again."""

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


def check(asked: Any) -> None:
    """Refuse what cannot be asked for; a single name to drop becomes a tuple of one."""
    dropped = (asked.drop,) if isinstance(asked.drop, str) else tuple(map(str, asked.drop))
    vars(asked).update(drop=dropped)
    one_of("missing", asked.missing, ("refuse", "fill", "drop"))
    number("valid", asked.valid, above=0, below=1)
    one_of("scale", asked.scale, ("default", *SCALINGS))
    one_of("target_scale", asked.target_scale, ("default", "none", "standardize"))
    whole("seed", asked.seed)


@dataclass(frozen=True, eq=False)
class Learned:
    """All that one or two passes over a table tell.

    `y` are the targets of the rows that are kept: places in `classes`, whole numbers that stand for
    classes, or `amounts [N, 1]`. `train` and `valid` are places among these rows, in the order
    drawn; `kept` says which rows of the table they are, where some are left out."""

    encoding: Encoding
    y: Tensor
    classes: tuple[str, ...] | None
    amounts: bool
    train: Int[Tensor, "T"]
    valid: Int[Tensor, "V"]
    kept: NDArray[numpy.bool_] | None


def learn(frame: Frame, asked: Asked) -> Learned:
    """What `asked` makes of a table; memory is taken for its targets and one block of its rows.
    Raises `DataError`.
    """
    target = chosen(frame, asked)
    names = [name for name in frame.names if name not in (target, *asked.drop)]
    if not names:
        raise DataError(f"{frame.where}: no column is left to predict {target} from")
    surveys, goals, masks = [Survey(name) for name in names], [], []
    for block in frame.blocks([*names, target]):
        if asked.missing == "drop":
            masks.append(~numpy.logical_or.reduce([cells.missing for cells in block.values()]))
            block = _kept(block, masks[-1])
        for survey in surveys:
            survey.add(block[survey.name])
        goals.append(block[target])
    kept = numpy.concatenate(masks) if masks else None
    if not sum(map(len, goals)):
        raise DataError(
            f'{frame.where}: every row lacks something; use missing="fill", or leave out with '
            "drop=… what is often missing"
        )
    y, classes, amounts = targets(frame, target, goals)
    goals.clear()
    columns = [survey.column() for survey in surveys]
    first = frame.given if frame.given is None or kept is None else int(kept[: frame.given].sum())
    if first is None:
        strata = (
            None
            if amounts
            else y
            if classes is not None
            else torch.unique(y, return_inverse=True)[1].reshape(-1)
        )
        train, valid = split(len(y), asked.valid, generator(asked.seed, "split"), strata)
    else:
        train, valid = torch.arange(len(y)).tensor_split([first])
    if asked.missing == "fill":
        columns = _filled(frame, columns, train, len(y))
    return Learned(
        Encoding(tuple(columns)),
        y,
        classes,
        amounts,
        train,
        valid,
        kept if kept is None or not kept.all() else None,
    )


def load(frame: Frame, asked: Asked) -> Data:
    """`Data` of a table, in memory."""
    found = learn(frame, asked)
    return data_of(frame, asked, found, encoded(frame, found))


def data_of(frame: Frame, asked: Asked, found: Learned, x: Float[Tensor, "N F"] | Streamed) -> Data:
    """`Data` from what was learned of a table and the raw inputs of all rows that are kept, in
    memory or on disk.
    """
    parts: list[tuple[Tensor | Streamed, Tensor]] = [
        (x.among(places), found.y[places.sort().values])
        if isinstance(x, Streamed)
        else (x[places], found.y[places])
        for places in (found.train, found.valid)
    ]
    on_disk = (
        "; read from disk in windows, being larger than memory" if isinstance(x, Streamed) else ""
    )
    del x  # what is scaled next takes as much again
    scale, target_scale = (
        {"default": "standardize"}.get(held, held) for held in (asked.scale, asked.target_scale)
    )
    data = from_arrays(
        *parts[0],
        valid=parts[1],
        features=found.encoding.features,
        scale=scale,
        classes=found.classes,
        target_scale=target_scale if found.amounts else "none",
        name=asked.text,
    )
    return dataclasses.replace(
        data, encoding=found.encoding, about=about(frame, asked, found) + on_disk
    )


def about(frame: Frame, asked: Asked, found: Learned) -> str:
    """What is said of the data."""
    left = f", {int((~found.kept).sum()):,} rows left out" if found.kept is not None else ""
    columns, inputs = len(found.encoding.columns), len(found.encoding.features)
    return f"{len(found.y):,} rows of {frame.title}{left}: {columns} columns as {inputs} inputs, {asked.target} to predict"


def encoded(frame: Frame, found: Learned) -> Float[Tensor, "N F"]:
    """The raw inputs of all rows that are kept, float64."""
    held = torch.empty(len(found.y), len(found.encoding.features), dtype=torch.float64)
    row = first = 0
    for block in frame.blocks(found.encoding.names):
        count = len(next(iter(block.values())))
        if found.kept is not None:
            block = _kept(block, found.kept[row : row + count])
        row += count
        part = found.encoding.encode(block)
        held[first : first + len(part)] = torch.from_numpy(part)
        first += len(part)
    return held


def _kept(block: Block, mask: NDArray[numpy.bool_]) -> Block:
    if mask.all():
        return block
    rows = numpy.flatnonzero(mask)
    return {name: cells.take(rows) for name, cells in block.items()}


def chosen(frame: Frame, asked: Asked) -> str:
    """The column to predict. Raises `DataError` where it, or one to drop, is none."""
    if asked.target is None:
        raise DataError(
            f"{frame.where}: say which column to predict, as in --target {frame.names[-1]}; there "
            f"are: {some(frame.names)}"
        )
    for what, names in (("target", (asked.target,)), ("drop", asked.drop)):
        for name in names:
            if name not in frame.names:
                raise DataError(
                    f"{frame.where}: {what} '{name}' is no column; {nearest(name, frame.names)}"
                )
    return asked.target


def targets(
    frame: Frame, name: str, parts: list[Cells]
) -> tuple[Tensor, tuple[str, ...] | None, bool]:
    """The targets: places in the classes that are named, whole numbers of classes, or amounts; and
    whether they are amounts.
    """
    for part in parts:
        if part.missing.any():
            raise DataError(
                f"{part.at(int(part.missing.argmax()))} has no {name}, and what is to be "
                "predicted cannot be filled in; leave "
                'such rows out with missing="drop"'
            )
    cells = joined(parts)
    kind = "category" if name in frame.classes else infer(name, cells).kind
    if kind == "date":
        raise DataError(
            f"{frame.where}: {name} is a date, which is neither a class nor an amount; make it a "
            "number first"
        )
    if kind != "number":
        cells = cells.spelled()
        held = sorted({cells.texts[place] for place in numpy.unique(cells.values).tolist()})
        if name in frame.classes:
            held.sort(key=frame.classes[name].index)
        places = {text: place for place, text in enumerate(held)}
        table = numpy.array([places.get(text, -1) for text in cells.texts])
        return torch.from_numpy(table[cells.values]), tuple(held), False
    values = torch.from_numpy(cells.numbers("number"))
    if bool((values == values.floor()).all()) and len(values.unique()) <= FEW:
        return values.long(), None, False
    return values[:, None], None, True


def _filled(frame: Frame, columns: list[Column], train: Tensor, count: int) -> list[Column]:
    """The columns with what a missing cell is taken for: the mean of the others, all in the
    training part.
    """
    ours = numpy.zeros(count, dtype=bool)
    ours[train.numpy()] = True
    numeric = [column for column in columns if column.kind != "category"]
    sums: dict[str, list[float]] = {column.name: [] for column in numeric}
    counts = dict.fromkeys(sums, 0)
    row = 0
    for block in frame.blocks(list(sums)) if sums else ():
        length = len(next(iter(block.values())))
        for column in numeric:
            held = block[column.name].numbers(column.kind)[ours[row : row + length]]
            held = held[~numpy.isnan(held)]
            sums[column.name].append(float(held.sum()))
            counts[column.name] += len(held)
        row += length
    means = {
        name: math.fsum(parts) / counts[name] if counts[name] else 0.0
        for name, parts in sums.items()
    }
    return [dataclasses.replace(column, fill=means.get(column.name, 0.0)) for column in columns]


def some(names: Sequence[str], most: int = 12) -> str:
    """The first of `names`, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
