"""`Data` from Hugging Face's `datasets`: tables, whose columns are those of Arrow, and pictures."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy
import torch
from torch import Tensor

from sevensteps.arguments import flag, whole
from sevensteps.data.build import build_data
from sevensteps.data.dataset import Data
from sevensteps.data.formats.frame import FrameOptions
from sevensteps.data.formats.image_file import (
    decode_image,
    image_to_tensor,
    is_gray,
    read_image_header,
    resize_image,
)
from sevensteps.data.formats.image_folder import MAX_BYTES
from sevensteps.data.formats.picture_files import VALID_NAMES
from sevensteps.data.table import arrow_columns
from sevensteps.data.table.cells import Cells
from sevensteps.data.table.options import check_options
from sevensteps.data.table.table import Block, Table
from sevensteps.data.table.table_to_data import load_table, target_column
from sevensteps.data.table.targets import read_targets
from sevensteps.errors import ArgumentError, DataError
from sevensteps.seeds import generator

T = TypeVar("T")
ROWS_PER_READ = 10_000  # of a table
PICTURES_PER_READ = 500


def from_dataset(
    dataset: Any,
    target: str | None = None,
    *,
    valid: Any = 0.2,
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    missing: str = "fill",
    dates: str = "auto",
    values: int = 200,
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
    `valid` is a dataset to validate on, or else the share of the samples to split off.
    Labels that have names (ClassLabel) keep them, in their order. Raises `DataError` where nothing
    could be learned from it.
    """
    parts, share = _split_parts(name, dataset, valid)
    options = FrameOptions(
        name,
        target=target,
        drop=drop if isinstance(drop, str) else tuple(drop),  # type: ignore[arg-type]
        keep=keep if isinstance(keep, str) else tuple(keep),  # type: ignore[arg-type]
        missing=missing,
        dates=dates,
        values=values,
        valid=share,
        scale=scale,
        target_scale=target_scale,
        seed=seed,
    )
    check_options(options)
    flag("gray", gray)
    table = DatasetTable(name, parts)
    predicted = target_column(table, options)
    inputs = [column for column in table.names if column not in (predicted, *options.drop)]
    pictures = [column for column in inputs if table.is_picture(column)]
    if not pictures:
        if size is not None or gray:
            raise ArgumentError(f"{name}: size and gray are for pictures, but no column holds any")
        return load_table(table, options)
    if len(inputs) > 1:
        others = [column for column in inputs if column != pictures[0]]
        raise DataError(
            f"{name}: pictures are trained on alone, but beside {pictures[0]} there is "
            f"{', '.join(others)}; leave out with "
            f"drop=({', '.join(map(repr, others))},)"
        )
    if missing == "drop":
        raise ArgumentError(
            f"{name}: missing={missing!r} is for tables; leave pictures that are missing out with "
            "dataset.filter(…)"
        )
    return _load_pictures(table, options, pictures[0], size, gray)


def _split_parts(name: str, dataset: Any, valid: Any) -> tuple[list[tuple[str, Any]], float]:
    """The datasets with their names in messages: one, or two where one is to validate on; and the
    share to split off else.
    """
    try:
        import datasets
    except ImportError:
        raise DataError(
            f"{name}: needs the package datasets; install it with: pip install "
            '"sevensteps[datasets]"'
        ) from None
    valid_is_dataset = isinstance(valid, datasets.Dataset)
    if not valid_is_dataset and (isinstance(valid, bool) or not isinstance(valid, int | float)):
        raise ArgumentError(
            f"valid must be a datasets.Dataset or a share such as 0.2, not a {type(valid).__name__}"
        )
    parts: list[tuple[str, Any]]
    if isinstance(dataset, datasets.DatasetDict):
        valid_name = next((part for part in VALID_NAMES if part in dataset), None)
        if "train" not in dataset:
            raise DataError(
                f"{name}: has {', '.join(map(str, dataset)) or 'nothing'}, but no train; give one "
                "of them: dataset[…]"
            )
        parts = [(f"{name}, train", dataset["train"])]
        if valid_name is not None and not valid_is_dataset:
            parts.append((f"{name}, {valid_name}", dataset[valid_name]))
    elif isinstance(dataset, datasets.Dataset):
        parts = [(name, dataset)]
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
    if valid_is_dataset:
        parts.append((f"{name}, valid", valid))
    return parts, 0.2 if valid_is_dataset else valid


class DatasetTable(Table):
    """One dataset, or two, one to train on and one to validate on."""

    def __init__(self, name: str, parts: list[tuple[str, Any]]) -> None:
        self.where, self.title, self.parts = name, name, parts
        first = parts[0][1]
        self.names, self.features = list(first.column_names), first.features
        self.train_rows = len(first) if len(parts) == 2 else None
        for where, part in parts:
            if not len(part):
                raise DataError(f"{where}: has no row; give at least two")
            for column in self.names:
                if column not in part.features or part.features[column] != self.features[column]:
                    feature = part.features.get(column, "missing")
                    raise DataError(
                        f"{where}: the column '{column}' is {feature}, but {self.features[column]} "
                        "in the training part; give "
                        "both the same columns"
                    )
        schema = self.features.arrow_schema
        self.unusable = arrow_columns.unusable_columns(
            {name: schema.field(name).type for name in self.names if not self.is_picture(name)}
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
            arrow_columns.refuse_type(name, schema.field(name).type, self.where)
        for where, part in self.parts:
            start = 0
            for table in part.with_format("arrow", columns=list(names)).iter(ROWS_PER_READ):
                yield {
                    name: self._with_class_names(
                        name, arrow_columns.to_cells(name, table.column(name), where, start)
                    )
                    for name in names
                }
                start += len(table)

    def _with_class_names(self, name: str, cells: Cells) -> Cells:
        """Labels that have names by their names; a label of -1 says that there is none."""
        classes = self.classes.get(name)
        if classes is None:
            return cells
        codes = numpy.where(cells.missing, -1, cells.values).astype(numpy.int32)
        if codes.size and codes.max() >= len(classes):
            place = int(codes.argmax())
            raise DataError(
                f"{cells.location(place)} has {name} {codes[place]}, but there are names for 0 to "
                f"{len(classes) - 1}"
            )
        # not by way of `Cells.from_codes`: "none" is a name like others
        return Cells("category", numpy.maximum(codes, -1), classes, cells.where, cells.start)

    def pictures(
        self, name: str, function: Callable[[str, bytes | None, str | None], T]
    ) -> Iterator[T]:
        """`function(where, bytes, path)` of each picture, in order, by several threads."""
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for where, part in self.parts:
                start = 0
                for table in part.with_format("arrow", columns=[name]).iter(PICTURES_PER_READ):
                    pictures = table.column(name).to_pylist()
                    if any(picture is None for picture in pictures):
                        raise DataError(
                            f"{where}: row {start + pictures.index(None) + 1} has no {name}; leave "
                            "it out with dataset.filter(…)"
                        )
                    yield from pool.map(
                        function,
                        [f"{where}: row {start + row}" for row in range(1, len(pictures) + 1)],
                        [picture["bytes"] for picture in pictures],
                        [picture["path"] for picture in pictures],
                    )
                    start += len(pictures)


def _load_pictures(
    table: DatasetTable,
    options: FrameOptions,
    column: str,
    size: int | tuple[int, int] | None,
    gray: bool,
) -> Data:
    target = options.target
    assert target is not None
    targets = read_targets(table, target, replace(options, missing="refuse"))
    y, classes = targets.y(targets.used), targets.classes
    if classes is None and not targets.is_regression:
        distinct, y = torch.unique(y, return_inverse=True)
        classes = tuple(map(str, distinct.tolist()))
    pixels = _read_pixels(table, column, len(y), size, gray)
    train_rows = table.train_rows
    height, width = pixels.shape[2:]
    about = f"{len(y):,} pictures, {height} x {width} pixels, {target} to predict"
    return build_data(
        options.text,
        pixels[:train_rows],
        y[:train_rows],
        valid=None if train_rows is None else (pixels[train_rows:], y[train_rows:]),
        share=options.valid,
        split_generator=generator(options.seed, "split"),
        classes=classes or (),
        scale="unit" if options.scale == "default" else options.scale,
        target_scale="none" if classes or options.target_scale == "none" else "standardize",
        highest=255,
        about=about,
    )


def _read_pixels(
    table: DatasetTable, column: str, count: int, size: int | tuple[int, int] | None, gray: bool
) -> Tensor:
    """All pictures as uint8 [N, C, H, W]."""
    sides = None if size is None else (size, size) if isinstance(size, int) else tuple(size)
    if sides is not None and len(sides) != 2:
        raise ArgumentError(f"size must be one number, or (height, width), not {size!r}")
    for side in sides or ():
        whole("size", side, at_least=1)
    colours = False
    for where, height, width, mode in table.pictures(column, _read_header):
        colours = colours or not is_gray(mode)
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
            f"{table.where}: {count:,} pictures of {channels} × {sides[0]} × {sides[1]} take more "
            f"than {MAX_BYTES >> 30} GB; "
            "give a smaller size=…"
        )
    pixels = torch.empty(count, channels, *sides, dtype=torch.uint8)

    def read(where: str, data: bytes | None, path: str | None) -> Tensor:
        name, file = _picture_file(where, data, path)
        picture = decode_image(name, channels, file)
        if (picture.height, picture.width) != sides:
            picture = resize_image(picture, sides[1], sides[0])
        return image_to_tensor(picture)

    for row, picture in enumerate(table.pictures(column, read)):
        pixels[row] = picture
    return pixels


def _read_header(where: str, data: bytes | None, path: str | None) -> tuple[str, int, int, str]:
    return where, *read_image_header(*_picture_file(where, data, path))[:3]


def _picture_file(
    where: str, data: bytes | None, path: str | None
) -> tuple[Path | str, io.BytesIO | None]:
    """What `open_image` takes: the name in messages, and the bytes where there is no file of that
    name.
    """
    return (
        (Path(path), None)
        if data is None and path is not None
        else (where, io.BytesIO(data or b""))
    )
