"""Arrays of your own that may be larger than memory: .npy files of NumPy, and IDX files, the format
of MNIST.
"""

from __future__ import annotations

import re
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.dataset import Data
from sevensteps.data.formats import idx
from sevensteps.data.formats.array_headers import array, idx_rows, npy_rows
from sevensteps.data.formats.arrays import from_arrays
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.sources import Source
from sevensteps.data.streaming.memory import allowed, fits
from sevensteps.data.streaming.rows import Rows, Without
from sevensteps.data.streaming.streamed import Streamed, stream
from sevensteps.data.table.frame import FEW
from sevensteps.errors import DataError
from sevensteps.notation import value

__all__ = ["npy", "idx_files"]

LABELS = {"images-idx3": "labels-idx1", "images.idx3": "labels.idx1"}
PARTS = ("train", "t10k")


class _OnDisk(Source):
    memory: float | None
    valid: float

    def __post_init__(self) -> None:
        vars(self).update(path=str(self.path))  # type: ignore[attr-defined]
        number("valid", self.valid, above=0, below=1)
        if self.memory is not None:
            number("memory", self.memory, above=0)
        one_of("scale", self.scale, ("default", *SCALINGS))
        whole("seed", self.seed)

    def _scale(self, x: Any) -> str:
        return self.scale if self.scale != "default" else "unit" if x.ndim > 2 else "standardize"

    def _held(self, rows: Rows) -> Streamed | Tensor:
        """The rows in memory, or as they stay on disk where they do not fit in it."""
        limit = allowed(self.memory)
        if not fits(rows.shape, limit):
            return stream(rows, limit)
        held = torch.empty(rows.shape, dtype=rows.dtype)
        rows.read(0, len(rows), held)
        return held


@value
class npy(_OnDisk):
    """arrays of your own in .npy files, as numpy.save writes them

    `target` is the file with the targets, or the number of a column of the table (-1: the last).
    What they may be says `from_arrays`; pictures may have their channels last. Split 80/20, each
    class alike. More than fits in `memory` (megabytes; default: three quarters of what is free)
    stays on disk: read in stretches, shuffled in windows. Scale: pixels / 255, columns
    standardised. Source: numpy.save."""

    path: str
    _: KW_ONLY
    target: str | int | None = None
    valid: float = 0.2
    scale: str = "default"
    target_scale: str = "none"
    memory: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("target_scale", self.target_scale, ("none", "standardize"))
        if isinstance(self.target, str) and re.fullmatch(r"-?\d{1,6}", self.target):
            vars(self).update(target=int(self.target))
        elif not isinstance(self.target, int | None):
            vars(self).update(target=str(self.target))

    def load(self, data_dir: Path | None = None) -> Data:
        path = Path(self.path)
        if self.target is None:
            raise DataError(
                f"{path}: say where the targets are: the file that has them, as in --target "
                "y.npy, or the number of their "
                "column, as in --target -1"
            )
        rows: Rows = npy_rows(path)
        y: Any
        if isinstance(self.target, int):
            if (
                len(rows.shape) != 2
                or not -rows.shape[1] <= self.target < rows.shape[1]
                or rows.shape[1] < 2
            ):
                raise DataError(
                    f"{path}: has shape {list(rows.shape)}, so there is no column {self.target} "
                    "to predict from others"
                )
            column = self.target % rows.shape[1]
            y = _column(rows, column).double()
            y = y.long() if bool((y == y.floor()).all()) and len(torch.unique(y)) <= FEW else y
            rows = Without(rows, column)
        else:
            y = array(Path(self.target), allowed(self.memory))
        x = self._held(rows)
        return from_arrays(
            x,
            y,
            valid=self.valid,
            scale=self._scale(x),
            target_scale=self.target_scale,
            seed=self.seed,
            name=self.text,
        )


@value
class idx_files(_OnDisk):
    """pictures of your own in IDX files, the format of MNIST

    `path` is a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and the two t10k-… to
    judge by, or a file of images, whose labels are the file of that name, or `target`; then split
    80/20, each class alike. What does not fit in `memory` stays on disk, as with `npy`; packed
    files (.gz) are unpacked into memory. Scale: pixels / 255. Source: LeCun, Cortes, Burges 1998.
    """

    path: str
    _: KW_ONLY
    target: str | None = None
    valid: float = 0.2
    scale: str = "default"
    memory: float | None = None
    seed: int = 0

    def load(self, data_dir: Path | None = None) -> Data:
        path = Path(self.path)
        if path.is_dir():
            train, judged = (
                self._pair(
                    _spelled(path, f"{part}-images-idx3-ubyte"),
                    _spelled(path, f"{part}-labels-idx1-ubyte"),
                )
                for part in PARTS
            )
            return from_arrays(*train, valid=judged, scale=self._scale(train[0]), name=self.text)
        name = path.name
        for images, labels in LABELS.items():
            name = name.replace(images, labels)
        if self.target is None and name == path.name:
            raise DataError(f"{path}: say where its labels are, as in --target labels-idx1-ubyte")
        x, y = self._pair(
            path, Path(self.target) if self.target is not None else path.with_name(name)
        )
        return from_arrays(
            x, y, valid=self.valid, scale=self._scale(x), seed=self.seed, name=self.text
        )

    def _pair(self, images: Path, labels: Path) -> tuple[Any, Tensor]:
        x = idx.images(images) if images.suffix == ".gz" else self._held(idx_rows(images))
        y = idx.labels(labels, classes=256)
        if len(x) != len(y):
            raise DataError(
                f"{images} has {len(x)} images but {labels.name} has {len(y)} labels; give the "
                "two files that belong together"
            )
        return x, y


def _column(rows: Rows, column: int) -> Tensor:
    """One column of a table, as it is in the file."""
    held = torch.empty(len(rows), dtype=rows.dtype)
    for start in range(0, len(rows), rows.stretch):
        part = torch.empty(min(rows.stretch, len(rows) - start), *rows.shape[1:], dtype=rows.dtype)
        rows.read(start, start + len(part), part)
        held[start : start + len(part)] = part[:, column]
    return held


def _spelled(folder: Path, name: str) -> Path:
    """The file of that name in the folder, or the packed one."""
    found = next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
    if found is None:
        raise DataError(
            f"{folder}: has no {name} (plain or .gz); put it there, or give the file of the images"
        )
    return found
