"""Pictures of your own: a folder that has a folder for each class."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from sevensteps.arguments import flag, whole
from sevensteps.data.build import build_data
from sevensteps.data.dataset import Data
from sevensteps.data.formats.image_file import (
    IMAGE_ENDINGS,
    decode_image,
    image_to_tensor,
    is_gray,
    read_image_header,
    resize_image,
)
from sevensteps.data.sources import Source
from sevensteps.errors import DataError
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["image_folder"]

T = TypeVar("T")
R = TypeVar("R")
VALID_NAMES = ("valid", "validation", "val", "test")  # of the part beside `train`
PROGRESS_FROM = 500  # pictures, from which on a terminal shows how far reading them has come
MAX_BYTES = 8 << 30  # of pixels, or of one archive's arrays, as they lie unpacked in memory


@value
class image_folder(Source):
    """pictures of your own, in a folder for each class

    `path/cat/1.png`, `path/dog/7.jpg`: the folders name the classes. Split 80/20, each class alike,
    or as it is where `path` holds `train` and `valid` (or `validation`, `val`, `test`). `size` is
    the side, or (height, width), that all are brought to; without it they must have one size
    already. Gray where all pictures are, else RGB; `gray=True` makes all gray. Pixels 0 to 255,
    scale: pixels / 255. Source: the layout of torchvision.datasets.ImageFolder.
    """

    path: str
    _: KW_ONLY
    size: int | tuple[int, ...] | None = None
    gray: bool = False
    valid: float = 0.2
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is not None:
            sides = (self.size, self.size) if isinstance(self.size, int) else tuple(self.size)
            for side in sides:
                whole("size", side, at_least=1)
            if len(sides) != 2:
                raise DataError(f"size must be one number, or (height, width), not {self.size!r}")
        flag("gray", self.gray)

    def load(self, data_dir: Path | None = None) -> Data:
        parts, classes, other_files = _find_pictures(Path(self.path))
        files = [file for part in parts for file, _ in part]
        shape = self._common_shape(files)
        pixels = _read_pixels(files, shape, resize=self.size is not None)
        labels = torch.tensor([label for part in parts for _, label in part])
        train_count = len(parts[0])
        about = (
            f"{len(files):,} pictures in {len(classes)} classes, {shape[1]} x {shape[2]} pixels"
            + (f"; {other_files:,} files that are no pictures left out" if other_files else "")
        )
        valid = (pixels[train_count:], labels[train_count:]) if len(parts) == 2 else None
        return build_data(
            self.text,
            pixels[:train_count],
            labels[:train_count],
            valid=valid,
            share=self.valid,
            split_generator=generator(self.seed, "split"),
            classes=classes,
            scale=self.scale_or("unit"),
            highest=255,
            about=about,
        )

    def _common_shape(self, files: list[Path]) -> tuple[int, int, int]:
        """[channels, height, width] of all pictures, read off their headers."""
        first: tuple[int, int] | None = None
        colours = False
        for (height, width, mode), file in zip(
            _in_threads(read_image_header, files, "looking at"), files, strict=True
        ):
            colours = colours or not is_gray(mode)
            if self.size is None and first is not None and first != (height, width):
                raise DataError(
                    f"{file}: {width} × {height} pixels, but {files[0]} has {first[1]} × "
                    f"{first[0]}; give size=… to bring all "
                    "pictures to one size"
                )
            first = first or (height, width)
        size = (
            first
            if self.size is None
            else (self.size, self.size)
            if isinstance(self.size, int)
            else self.size
        )
        assert size is not None
        shape = (3 if colours and not self.gray else 1, size[0], size[1])
        if len(files) * math.prod(shape) > MAX_BYTES:
            raise DataError(
                f"{self.path}: {len(files):,} pictures of {' × '.join(map(str, shape))} take more "
                f"than {MAX_BYTES >> 30} GB; "
                "give a smaller size=…"
            )
        return shape


def _find_pictures(folder: Path) -> tuple[list[list[tuple[Path, int]]], tuple[str, ...], int]:
    """The pictures of one part, or of two, each with the place of its class; the classes; and how
    many files are no pictures.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: there is no such folder; give one that holds a folder of pictures for "
            "each class"
        )
    named = {entry.name: entry for entry in _folders(folder)}
    valid = next((named[name] for name in VALID_NAMES if name in named), None)
    part_folders = [named["train"], valid] if "train" in named and valid is not None else [folder]
    classes = sorted(
        {entry.name for part_folder in part_folders for entry in _folders(part_folder)}
    )
    if len(classes) < 2:
        present = f"only {classes[0]}" if classes else "none"
        raise DataError(
            f"{part_folders[0]}: holds folders of pictures for each class, {present} was found; "
            "give "
            "at least two"
        )
    other_files = 0
    parts: list[list[tuple[Path, int]]] = []
    for part_folder in part_folders:
        part = []
        for index, name in enumerate(classes):
            files = sorted(
                file
                for file in (part_folder / name).rglob("*")
                if file.is_file() and not file.name.startswith(".")
            )
            pictures = [file for file in files if file.suffix.lower() in IMAGE_ENDINGS]
            other_files += len(files) - len(pictures)
            part += [(file, index) for file in pictures]
        if not part:
            raise DataError(f"{part_folder}: holds no picture ({', '.join(IMAGE_ENDINGS)})")
        parts.append(part)
    return parts, tuple(classes), other_files


def _folders(folder: Path) -> list[Path]:
    try:
        return [
            entry
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.name.startswith((".", "__"))
        ]
    except OSError as failure:
        raise DataError(f"{folder}: cannot be read: {failure.strerror or failure}") from None


def _read_pixels(files: list[Path], shape: tuple[int, int, int], resize: bool) -> Tensor:
    """All pictures as uint8 [N, C, H, W], decoded by several threads."""
    channels, height, width = shape
    pixels = torch.empty(len(files), *shape, dtype=torch.uint8)

    def read(index: int) -> None:
        picture = decode_image(files[index], channels)
        if resize and picture.size != (width, height):
            picture = resize_image(picture, width, height)
        pixels[index] = image_to_tensor(picture)

    for _ in _in_threads(read, range(len(files)), "reading"):
        pass
    return pixels


def _in_threads(function: Callable[[T], R], arguments: Iterable[T], what: str) -> Iterator[R]:
    """`function` of each argument, in order, by several threads; on a terminal with a bar where
    there are many.
    """
    from rich.console import Console
    from rich.progress import track

    inputs = list(arguments)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results: Iterable[R] = pool.map(function, inputs)
        try:
            if len(inputs) >= PROGRESS_FROM and sys.stderr.isatty():
                results = track(
                    results,
                    f"{what} {len(inputs):,} pictures",
                    len(inputs),
                    console=Console(stderr=True),
                    transient=True,
                )
            yield from results
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
