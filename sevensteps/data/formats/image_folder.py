"""Data of your own on disk: a folder of pictures by class, and arrays of NumPy."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any, TypeVar

import numpy
import torch
from torch import Tensor

from sevensteps.arguments import flag, number, one_of, whole
from sevensteps.data.build import build
from sevensteps.data.dataset import Data
from sevensteps.data.formats.picture_file import PICTURES, decoded, opened, resized
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.sources import Source
from sevensteps.errors import DataError
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["image_folder"]

T = TypeVar("T")
VALID = (
    "valid",
    "validation",
    "val",
    "test",
)  # what the part to judge by is called, beside `train`
MANY = 500  # pictures, from which on a terminal shows how far reading them has come
MAX_BYTES = 8 << 30  # of pixels, or of one archive's arrays, as they lie unpacked in memory


@value
class image_folder(Source):
    """pictures of your own, in a folder for each class

    `path/cat/1.png`, `path/dog/7.jpg`: the folders name the classes. Split 80/20, each class alike,
    or as it is where `path` holds `train` and `valid` (or `validation`, `val`, `test`). `size` is
    the side, or (height, width), that all are brought to; without it they must have one size
    already. Gray where all pictures are, else RGB; `gray=True` makes all gray. Pixels 0 to 255,
    scale: pixels / 255. Source: the layout of torchvision.datasets.ImageFolder."""

    path: str
    _: KW_ONLY
    size: int | tuple[int, ...] | None = None
    gray: bool = False
    valid: float = 0.2
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        vars(self).update(path=str(self.path))
        if self.size is not None:
            sides = (self.size, self.size) if isinstance(self.size, int) else tuple(self.size)
            for side in sides:
                whole("size", side, at_least=1)
            if len(sides) != 2:
                raise DataError(f"size must be one number, or (height, width), not {self.size!r}")
        flag("gray", self.gray)
        number("valid", self.valid, above=0, below=1)
        one_of("scale", self.scale, ("default", *SCALINGS))
        whole("seed", self.seed)

    def load(self, data_dir: Path | None = None) -> Data:
        parts, classes, others = _parts(Path(self.path))
        files = [file for part in parts for file, _ in part]
        shape = self._shape(files)
        pixels = _pixels(files, shape, resize=self.size is not None)
        labels = torch.tensor([label for part in parts for _, label in part])
        count = len(parts[0])
        about = (
            f"{len(files):,} pictures in {len(classes)} classes, {shape[1]} x {shape[2]} pixels"
            + (f"; {others:,} files that are no pictures left out" if others else "")
        )
        judged = (pixels[count:], labels[count:]) if len(parts) == 2 else None
        return build(
            self.text,
            pixels[:count],
            labels[:count],
            valid=judged,
            share=self.valid,
            draw=generator(self.seed, "split"),
            classes=classes,
            scale="unit" if self.scale == "default" else self.scale,
            highest=255,
            about=about,
        )

    def _shape(self, files: list[Path]) -> tuple[int, int, int]:
        """[channels, height, width] of all pictures, read off their headers."""
        first: tuple[int, int] | None = None
        colours = False
        for (width, height, mode), file in zip(
            _each(_header, files, "looking at"), files, strict=True
        ):
            colours = colours or not (mode in ("1", "L", "LA", "La") or mode.startswith("I"))
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


def _parts(folder: Path) -> tuple[list[list[tuple[Path, int]]], tuple[str, ...], int]:
    """The pictures of one part, or of two, each with the place of its class; the classes; and how
    many files are no pictures.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: there is no such folder; give one that holds a folder of pictures for "
            "each class"
        )
    named = {entry.name: entry for entry in _folders(folder)}
    judged = next((named[name] for name in VALID if name in named), None)
    places = [named["train"], judged] if "train" in named and judged is not None else [folder]
    classes = sorted({entry.name for place in places for entry in _folders(place)})
    if len(classes) < 2:
        found = f"only {classes[0]}" if classes else "none"
        raise DataError(
            f"{places[0]}: holds folders of pictures for each class, {found} was found; give at "
            "least two"
        )
    others = 0
    parts: list[list[tuple[Path, int]]] = []
    for place in places:
        part = []
        for index, name in enumerate(classes):
            files = sorted(
                file
                for file in (place / name).rglob("*")
                if file.is_file() and not file.name.startswith(".")
            )
            pictures = [file for file in files if file.suffix.lower() in PICTURES]
            others += len(files) - len(pictures)
            part += [(file, index) for file in pictures]
        if not part:
            raise DataError(f"{place}: holds no picture ({', '.join(PICTURES)})")
        parts.append(part)
    return parts, tuple(classes), others


def _folders(folder: Path) -> list[Path]:
    try:
        return [
            entry
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.name.startswith((".", "__"))
        ]
    except OSError as failure:
        raise DataError(f"{folder}: cannot be read: {failure.strerror or failure}") from None


def _header(file: Path) -> tuple[int, int, str]:
    with opened(file) as found:
        turned = found.getexif().get(274, 1) in (5, 6, 7, 8)  # the camera was held upright
        return (
            (found.height, found.width, found.mode)
            if turned
            else (found.width, found.height, found.mode)
        )


def _pixels(files: list[Path], shape: tuple[int, int, int], resize: bool) -> Tensor:
    """All pictures as uint8 [N, C, H, W], decoded by several threads."""
    channels, height, width = shape
    held = torch.empty(len(files), *shape, dtype=torch.uint8)

    def read(place: int) -> None:
        picture = decoded(files[place], channels)
        if resize and picture.size != (width, height):
            picture = resized(picture, width, height)
        pixels = torch.from_numpy(numpy.array(picture))
        held[place] = pixels[None] if channels == 1 else pixels.permute(2, 0, 1)

    for _ in _each(read, range(len(files)), "reading"):
        pass
    return held


def _each(work: Any, items: Iterable[T], what: str) -> Iterable[Any]:
    """`work(item)` of each, in order, by several threads; on a terminal with a bar where there are
    many.
    """
    from rich.console import Console
    from rich.progress import track

    held = list(items)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        done: Iterable[Any] = pool.map(work, held)
        try:
            if len(held) >= MANY and sys.stderr.isatty():
                done = track(
                    done,
                    f"{what} {len(held):,} pictures",
                    len(held),
                    console=Console(stderr=True),
                    transient=True,
                )
            yield from done
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
