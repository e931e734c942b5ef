"""Data from Hugging Face's `datasets`: tables, whose columns are those of Arrow, and pictures."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy
import torch
from torch import Tensor

from sevensteps.arguments import flag, whole
from sevensteps.data.build import build
from sevensteps.data.dataset import Data
from sevensteps.data.formats.image_folder import MAX_BYTES, VALID
from sevensteps.data.formats.picture_file import decoded, opened, resized
from sevensteps.data.table import arrow
from sevensteps.data.table.cells import Cells
from sevensteps.data.table.frame import Block, Frame, check, chosen, load, targets
from sevensteps.errors import ArgumentError, DataError
from sevensteps.seeds import generator

T = TypeVar("T")
ROWS = 10_000  # of a table that are read together
PICTURES = 500  # that are read together


@dataclass(eq=False)
class _Asked:
    text: str
    target: str | None
    drop: tuple[str, ...]
    missing: str
    valid: float
    scale: str
    target_scale: str
    seed: int


def from_dataset(
    dataset: Any,
    target: str | None = None,
    *,
    valid: Any = 0.2,
    drop: Sequence[str] = (),
    missing: str = "refuse",
    size: int | tuple[int, int] | None = None,
    gray: bool = False,
    scale: str = "default",
    target_scale: str = "default",
    seed: int = 0,
    name: str = "dataset",
) -> Data:
    """`Data` from a `datasets.Dataset`, or a `DatasetDict` with `train` and `validation` (or
    `valid`, `val`, `test`).

    `target` is the column to predict. The others become inputs as those of a Parquet file do,
    unless `drop` names them; or one of them holds pictures, which are then the inputs: all of one
    size, or brought to `size`, a side or (height, width); gray where all are, or with `gray=True`.
    `valid` is a dataset to judge by, or the share of the samples to split off where there is none.
    Labels that have names (ClassLabel) keep them, in their order. Raises `DataError` where nothing
    could be learned from it."""
    parts, share = _parts(name, dataset, valid)
    asked = _Asked(
        name,
        target,
        tuple(drop) if not isinstance(drop, str) else (drop,),
        missing,
        share,
        scale,
        target_scale,
        seed,
    )
    check(asked)
    flag("gray", gray)
    frame = Datasets(name, parts)
    predicted = chosen(frame, asked)
    inputs = [held for held in frame.names if held not in (predicted, *asked.drop)]
    pictures = [held for held in inputs if frame.is_picture(held)]
    if not pictures:
        if size is not None or gray:
            raise ArgumentError(f"{name}: size and gray are for pictures, but no column holds any")
        return load(frame, asked)
    if len(inputs) > 1:
        others = [held for held in inputs if held != pictures[0]]
        raise DataError(
            f"{name}: pictures are trained on alone, but beside {pictures[0]} there is "
            f"{', '.join(others)}; leave out with "
            f"drop=({', '.join(map(repr, others))},)"
        )
    if missing != "refuse":
        raise ArgumentError(
            f"{name}: missing={missing!r} is for tables; leave pictures that are missing out with "
            "dataset.filter(…)"
        )
    return _pictured(frame, asked, pictures[0], size, gray)


def _parts(name: str, dataset: Any, valid: Any) -> tuple[list[tuple[str, Any]], float]:
    """The datasets with their names in messages: one, or two where one is to judge by; and the
    share to split off else.
    """
    try:
        import datasets
    except ImportError:
        raise DataError(
            f"{name}: needs the package datasets; install it with: pip install "
            '"sevensteps[datasets]"'
        ) from None
    given = isinstance(valid, datasets.Dataset)
    if not given and (isinstance(valid, bool) or not isinstance(valid, int | float)):
        raise ArgumentError(
            f"valid must be a datasets.Dataset or a share such as 0.2, not a {type(valid).__name__}"
        )
    found: list[tuple[str, Any]]
    if isinstance(dataset, datasets.DatasetDict):
        judged = next((part for part in VALID if part in dataset), None)
        if "train" not in dataset:
            raise DataError(
                f"{name}: has {', '.join(map(str, dataset)) or 'nothing'}, but no train; give one "
                "of them: dataset[…]"
            )
        found = [(f"{name}, train", dataset["train"])]
        if judged is not None and not given:
            found.append((f"{name}, {judged}", dataset[judged]))
    elif isinstance(dataset, datasets.Dataset):
        found = [(name, dataset)]
    elif isinstance(dataset, datasets.IterableDataset | datasets.IterableDatasetDict):
        raise DataError(
            f"{name}: is streamed, and does not say how long it is; load it with streaming=False, "
            "or take some of it: "
            "datasets.Dataset.from_list(list(dataset.take(10_000)))"
        )
    else:
        raise ArgumentError(
            f"{name}: a {type(dataset).__name__} is no datasets.Dataset; for arrays use "
            "from_arrays(x, y), for a "
            "DataLoader from_loader(loader)"
        )
    if given:
        found.append((f"{name}, valid", valid))
    return found, 0.2 if given else valid


class Datasets(Frame):
    """One dataset, or two, one to train on and one to judge by."""

    def __init__(self, name: str, parts: list[tuple[str, Any]]) -> None:
        self.where, self.title, self.parts = name, name, parts
        first = parts[0][1]
        self.names, self.features = list(first.column_names), first.features
        self.given = len(first) if len(parts) == 2 else None
        for where, part in parts:
            if not len(part):
                raise DataError(f"{where}: has no row; give at least two")
            for column in self.names:
                if column not in part.features or part.features[column] != self.features[column]:
                    seen = part.features.get(column, "missing")
                    raise DataError(
                        f"{where}: the column '{column}' is {seen}, but {self.features[column]} "
                        "in the training part; give "
                        "both the same columns"
                    )
        self.classes = {
            column: tuple(names)
            for column in self.names
            if (names := getattr(self.features[column], "names", None))
        }

    def is_picture(self, name: str) -> bool:
        """Whether a column holds pictures."""
        import datasets

        return isinstance(self.features[name], datasets.Image)

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        schema = self.features.arrow_schema
        for name in names:
            arrow.refuse(name, schema.field(name).type, self.where)
        for where, part in self.parts:
            start = 0
            for table in part.with_format("arrow", columns=list(names)).iter(ROWS):
                yield {
                    name: self._named(name, arrow.cells(name, table.column(name), where, start))
                    for name in names
                }
                start += len(table)

    def _named(self, name: str, cells: Cells) -> Cells:
        """Labels that have names by their names; a label of -1 says that there is none."""
        known = self.classes.get(name)
        if known is None:
            return cells
        codes = numpy.where(cells.missing, -1, cells.values).astype(numpy.int32)
        if codes.size and codes.max() >= len(known):
            place = int(codes.argmax())
            raise DataError(
                f"{cells.at(place)} has {name} {codes[place]}, but there are names for 0 to "
                f"{len(known) - 1}"
            )
        return Cells(
            "category", numpy.maximum(codes, -1), known, cells.where, cells.start
        )  # "none" is a name like others

    def pictures(
        self, name: str, work: Callable[[str, bytes | None, str | None], T]
    ) -> Iterator[T]:
        """`work(where, bytes, path)` of each picture, in order, by several threads."""
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for where, part in self.parts:
                start = 0
                for table in part.with_format("arrow", columns=[name]).iter(PICTURES):
                    held = table.column(name).to_pylist()
                    if any(picture is None for picture in held):
                        raise DataError(
                            f"{where}: row {start + held.index(None) + 1} has no {name}; leave it "
                            "out with dataset.filter(…)"
                        )
                    named = [f"{where}: row {start + row}" for row in range(1, len(held) + 1)]
                    yield from pool.map(
                        work,
                        named,
                        [picture["bytes"] for picture in held],
                        [picture["path"] for picture in held],
                    )
                    start += len(held)


def _pictured(
    frame: Datasets, asked: _Asked, column: str, size: int | tuple[int, int] | None, gray: bool
) -> Data:
    assert asked.target is not None
    y, classes, amounts = targets(
        frame, asked.target, [block[asked.target] for block in frame.blocks([asked.target])]
    )
    if classes is None and not amounts:
        held, y = torch.unique(y, return_inverse=True)
        classes = tuple(map(str, held.tolist()))
    pixels = _pixels(frame, column, len(y), size, gray)
    first = frame.given
    about = f"{len(y):,} pictures, {pixels.shape[2]} x {pixels.shape[3]} pixels, {asked.target} to predict"
    return build(
        asked.text,
        pixels[:first],
        y[:first],
        valid=None if first is None else (pixels[first:], y[first:]),
        share=asked.valid,
        draw=generator(asked.seed, "split"),
        classes=classes or (),
        scale="unit" if asked.scale == "default" else asked.scale,
        target_scale="none" if classes or asked.target_scale == "none" else "standardize",
        highest=255,
        about=about,
    )


def _pixels(
    frame: Datasets, column: str, count: int, size: int | tuple[int, int] | None, gray: bool
) -> Tensor:
    """All pictures as uint8 [N, C, H, W]."""
    sides = None if size is None else (size, size) if isinstance(size, int) else tuple(size)
    if sides is not None and len(sides) != 2:
        raise ArgumentError(f"size must be one number, or (height, width), not {size!r}")
    for side in sides or ():
        whole("size", side, at_least=1)
    colours = False
    for where, height, width, mode in frame.pictures(column, _header):
        colours = colours or not (mode in ("1", "L", "LA", "La") or mode.startswith("I"))
        sides = sides or (height, width)
        if size is None and sides != (height, width):
            raise DataError(
                f"{where} has {width} × {height} pixels, the first {sides[1]} × {sides[0]}; give "
                "size=… to bring all pictures "
                "to one size"
            )
    assert sides is not None
    channels = 3 if colours and not gray else 1
    if count * channels * sides[0] * sides[1] > MAX_BYTES:
        raise DataError(
            f"{frame.where}: {count:,} pictures of {channels} × {sides[0]} × {sides[1]} take more "
            f"than {MAX_BYTES >> 30} GB; "
            "give a smaller size=…"
        )
    held = torch.empty(count, channels, *sides, dtype=torch.uint8)

    def read(where: str, data: bytes | None, path: str | None) -> Tensor:
        named, file = _file(where, data, path)
        picture = decoded(named, channels, file)
        if (picture.height, picture.width) != sides:
            picture = resized(picture, sides[1], sides[0])
        pixels = torch.from_numpy(numpy.array(picture))
        return pixels[None] if channels == 1 else pixels.permute(2, 0, 1)

    for row, pixels in enumerate(frame.pictures(column, read)):
        held[row] = pixels
    return held


def _header(where: str, data: bytes | None, path: str | None) -> tuple[str, int, int, str]:
    with opened(*_file(where, data, path)) as found:
        turned = found.getexif().get(274, 1) in (5, 6, 7, 8)  # the camera was held upright
        return (
            where,
            *((found.width, found.height) if turned else (found.height, found.width)),
            found.mode,
        )


def _file(where: str, data: bytes | None, path: str | None) -> tuple[Path | str, io.BytesIO | None]:
    """What `opened` takes: the name in messages, and the bytes where there is no file of that
    name.
    """
    return (
        (Path(path), None)
        if data is None and path is not None
        else (where, io.BytesIO(data or b""))
    )
