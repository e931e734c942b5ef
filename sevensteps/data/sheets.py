"""Tables of your own in a file: a CSV with a header, one column of which is to be predicted."""

from __future__ import annotations

import csv as reading
import dataclasses
from collections.abc import Iterator
from dataclasses import KW_ONLY
from pathlib import Path
from typing import TextIO

import numpy
import torch

from sevensteps.data.arrays import from_arrays
from sevensteps.data.columns import Column, Encoding, infer, missing, number
from sevensteps.data.core import Data, Source
from sevensteps.data.pictures import why
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.split import split
from sevensteps.errors import ArgumentError, DataError, nearest, one_of, whole
from sevensteps.errors import number as checked
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["csv"]

MAX_LINE = 16_000_000  # characters, so that a file without line ends does not fill the memory
MAX_CELL = 10_000  # characters
MAX_CELLS = 50_000_000  # of a file, which are some gigabytes as Python's texts
FEW = 20  # different whole numbers in the target that are read as classes; more are amounts


@value
class csv(Source):
    """a table of your own: a CSV with a header, one column to predict

    Columns of numbers are taken as they are, yes and no as 1 and 0, dates as days, of texts each value becomes an input. Texts, yes and no
    and few whole numbers in the target are classes, other numbers are amounts. `drop` names columns to leave out; `missing` is "refuse",
    "fill" (with the mean of the training part) or "drop" (the row). Split 80/20, each class alike. Scale: standardize, amounts too.
    Source: RFC 4180, Common Format for CSV Files.
    """

    path: str
    _: KW_ONLY
    target: str | None = None
    drop: tuple[str, ...] = ()
    missing: str = "refuse"
    separator: str = ","
    valid: float = 0.2
    scale: str = "default"
    target_scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        dropped = (self.drop,) if isinstance(self.drop, str) else tuple(map(str, self.drop))
        vars(self).update(path=str(self.path), drop=dropped)
        one_of("missing", self.missing, ("refuse", "fill", "drop"))
        if len(str(self.separator)) != 1:
            raise ArgumentError(f"separator must be one character, not {self.separator!r}")
        checked("valid", self.valid, above=0, below=1)
        one_of("scale", self.scale, ("default", *SCALINGS))
        one_of("target_scale", self.target_scale, ("default", "none", "standardize"))
        whole("seed", self.seed)

    def load(self, data_dir: Path | None = None) -> Data:
        header, rows = read(Path(self.path), self.separator)
        target = self._target(header)
        kept = [name for name in header if name not in (target, *self.drop)]
        if not kept:
            raise DataError(f"{self.path}: no column is left to predict {target} from")
        places = {name: place for place, name in enumerate(header)}
        count = len(rows)
        if self.missing == "drop":
            rows = [row for row in rows if not any(missing(row[places[name]]) for name in (*kept, target))]
            if not rows:
                raise DataError(f'{self.path}: every row lacks something; use missing="fill", or leave out with drop=… what is often '
                                'missing')
        y, amounts = self._targets(target, [row[places[target]].strip() for row in rows])
        columns = [infer(name, [row[places[name]] for row in rows], self.path) for name in kept]
        strata = None if amounts else torch.from_numpy(numpy.unique(y, return_inverse=True)[1]).reshape(-1)
        train, valid = split(len(rows), self.valid, generator(self.seed, "split"), strata)
        if self.missing == "fill":
            columns = [self._filled(column, [rows[row][places[column.name]] for row in train.tolist()]) for column in columns]
        encoding = Encoding(tuple(columns))
        x = encoding.encode(header, rows, self.path)
        scale, target_scale = ({"default": "standardize"}.get(held, held) for held in (self.scale, self.target_scale))
        data = from_arrays(x[train], y[train.numpy()], valid=(x[valid], y[valid.numpy()]), features=encoding.features, scale=scale,
                           target_scale=target_scale if amounts else "none", name=self.text)
        left = f", {count - len(rows):,} rows left out" if count > len(rows) else ""
        about = (f"{len(rows):,} rows of {Path(self.path).name}{left}: {len(kept)} columns as {len(encoding.features)} inputs, "
                 f"{target} to predict")
        return dataclasses.replace(data, encoding=encoding, about=about)

    def _target(self, header: list[str]) -> str:
        if self.target is None:
            raise DataError(f"{self.path}: say which column to predict, as in --target {header[-1]}; there are: {_some(header)}")
        for what, names in (("target", (self.target,)), ("drop", self.drop)):
            for name in names:
                if name not in header:
                    raise DataError(f"{self.path}: {what} '{name}' is no column; {nearest(name, header)}")
        return self.target

    def _targets(self, name: str, cells: list[str]) -> tuple[numpy.ndarray, bool]:
        """The targets: texts or whole numbers of classes, or amounts; and whether they are amounts."""
        lacking = next((row for row, cell in enumerate(cells, 1) if missing(cell)), None)
        if lacking is not None:
            raise DataError(f"{self.path}: row {lacking} has no {name}, and what is to be predicted cannot be filled in; leave such rows "
                            'out with missing="drop"')
        found = infer(name, cells, self.path)
        if found.kind == "date":
            raise DataError(f"{self.path}: {name} is a date, which is neither a class nor an amount; make it a number first")
        if found.kind != "number":
            return numpy.array(cells), False
        numbers = numpy.array([number(cell) for cell in cells])
        if (numbers == numpy.floor(numbers)).all() and len(numpy.unique(numbers)) <= FEW:
            return numbers.astype(numpy.int64), False
        return numbers[:, None], True

    @staticmethod
    def _filled(column: Column, cells: list[str]) -> Column:
        """The column with what a missing cell is taken for: the mean of the others, all in the training part."""
        if column.kind == "category":
            return dataclasses.replace(column, fill=0.0)
        found = [held for cell in cells if not missing(cell) and (held := number(cell, column.kind)) is not None]
        return dataclasses.replace(column, fill=sum(found) / len(found) if found else 0.0)


def read(path: Path, separator: str = ",") -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV, each row as long as the header. Raises `DataError` with the row, counted from 1 below the header."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give a .csv")
    rows: list[list[str]] = []
    header: list[str] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for cells in reading.reader(_lines(path, file), delimiter=separator):
                if not any(cell.strip() for cell in cells):
                    continue
                if not header:
                    header = _header(path, cells, separator)
                    continue
                if len(cells) != len(header):
                    raise DataError(f"{path}: row {len(rows) + 1} has {len(cells)} cells under a header of {len(header)}; give one for "
                                    "each")
                if max(map(len, cells)) > MAX_CELL:
                    raise DataError(f"{path}: row {len(rows) + 1} has a cell of more than {MAX_CELL:,} characters; texts that long cannot "
                                    "be inputs")
                rows.append(cells)
                if len(rows) * len(header) > MAX_CELLS:
                    raise DataError(f"{path}: has more than {MAX_CELLS:,} cells; save it as numbers in a .npz")
    except DataError:
        raise
    except (OSError, UnicodeDecodeError, reading.Error) as failure:
        raise DataError(f"{path}: cannot be read as a CSV: {why(failure)}") from None
    if not rows:
        raise DataError(f"{path}: has no row below its header; give at least two" if header else f"{path}: is empty")
    return header, rows


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    count = 0
    while line := file.readline(MAX_LINE):
        count += 1
        if len(line) == MAX_LINE:
            raise DataError(f"{path}: line {count} has more than {MAX_LINE:,} characters; is it a table?")
        yield line


def _header(path: Path, cells: list[str], separator: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    if all(number(cell) is not None for cell in header):
        raise DataError(f"{path}: has no header: its first line is {_some(header)}; name the columns in a first line")
    if len(header) == 1 and (other := next((mark for mark in ";\t|" if mark in header[0] and mark != separator), None)):
        raise DataError(f"{path}: has one column, '{header[0][:60]}'; is the separator {other!r}? Then say separator={other!r}")
    for name in header:
        if not name:
            raise DataError(f"{path}: column {header.index(name) + 1} has no name in the header; give it one")
        if header.count(name) > 1:
            raise DataError(f"{path}: two columns are called {name}; give each a name of its own")
    return header


def _some(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
