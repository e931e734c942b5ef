"""Pictures of your own: a folder for each class, or a table of labels."""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch
from torch import Tensor

from sevensteps.arguments import flag, whole
from sevensteps.data.build import build_data
from sevensteps.data.dataset import Data
from sevensteps.data.formats.image_file import (
    ImageHeader,
    decode_on_white,
    image_to_tensor,
    is_gray,
    read_image_header,
    resize_image,
)
from sevensteps.data.formats.picture_files import Pictures, count, find_by_folder, find_by_table
from sevensteps.data.sources import Source
from sevensteps.errors import DataError, option_name
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["image_folder"]

T = TypeVar("T")
R = TypeVar("R")
PROGRESS_FROM = 500  # pictures, from which on a terminal shows how far reading them has come
MAX_SIDE = 64  # of pictures of several sizes, where none is asked for
MODES = {  # of Pillow's, the ways of storing a picture that are worth a word
    "CMYK": "CMYK",
    "P": "with a palette",
    "PA": "with a palette",
    "I": "of 16 bits",
    "I;16": "of 16 bits",
    "I;16B": "of 16 bits",
    "LAB": "LAB",
    "YCbCr": "YCbCr",
    "HSV": "HSV",
}
MAX_BYTES = 8 << 30  # of pixels, or of one archive's arrays, as they lie unpacked in memory


@value
class image_folder(Source):
    """pictures of your own, in a folder for each class

    `path/cat/1.png`, `path/dog/7.jpg`: the folders name the classes; or `labels` is a table (.csv)
    with a row for each picture, its name in one column and its class, or an amount, in the column
    `target`. Split 80/20, each class alike, or as it is where `path` holds `train` and `valid` (or
    `validation`, `val`, `test`). `size` is the side, or (height, width), that all are brought to;
    without it those of several sizes are brought to the middle one, of at most 64 pixels. Gray
    where all pictures are, else RGB; `gray=True` makes all gray. Files that cannot be read are left
    out; what is transparent shows white. Pixels 0 to 255, scale: pixels / 255. Source: the layout
    of torchvision.datasets.ImageFolder.
    """

    path: str
    _: KW_ONLY
    size: int | tuple[int, ...] | None = None
    gray: bool = False
    labels: str | None = None
    target: str | None = None
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
        folder = Path(self.path)
        pictures = (
            find_by_folder(folder)
            if self.labels is None
            else find_by_table(folder, Path(self.labels), self.target)
        )
        shape = self._shape(pictures, _read_headers(pictures))
        pixels = _read_pixels(pictures, shape)
        y, classes = _targets(pictures, self.labels)
        train_count = len(pictures.parts[0])
        what = f"in {len(classes)} classes" if classes else "with an amount each"
        return build_data(
            self.text,
            pixels[:train_count],
            y[:train_count],
            valid=(pixels[train_count:], y[train_count:]) if len(pictures.parts) == 2 else None,
            share=self.valid,
            split_generator=generator(self.seed, "split"),
            classes=classes,
            scale=self.scale_or("unit"),
            target_scale="none" if classes else "standardize",
            highest=255,
            about=f"{count(len(y), 'picture')} {what}, {shape[1]} x {shape[2]} pixels",
            notes=pictures.report(),
        )

    def _shape(self, pictures: Pictures, headers: list[ImageHeader]) -> tuple[int, int, int]:
        """[channels, height, width] that all pictures are brought to; a note says how that was
        chosen.
        """
        has_colours = any(not is_gray(header.mode) for header in headers)
        channels = 3 if has_colours and not self.gray else 1
        sizes = sorted({(header.height, header.width) for header in headers})
        if self.size is not None:
            height, width = (self.size,) * 2 if isinstance(self.size, int) else self.size
        else:
            (height, width), *others = sizes
            if others or len(headers) * channels * height * width > MAX_BYTES:
                height, width = _middle_size(headers)
                many = "one size" if not others else f"{len(sizes):,} sizes"
                pictures.notes.append(
                    f"brought all pictures, of {many} ({_size_range(headers)} pixels), to {height} "
                    f"x {width}; {option_name('size')} takes another"
                )
        if len(headers) * channels * height * width > MAX_BYTES:
            raise DataError(
                f"{self.path}: {len(headers):,} pictures of {channels} × {height} × {width} take "
                f"more than {MAX_BYTES >> 30} GB; give a smaller {option_name('size')}"
            )
        if turned := sum(header.is_turned for header in headers):
            pictures.notes.append(f"turned {count(turned, 'picture')} upright")
        unusual = Counter(MODES.get(header.mode, "") for header in headers)
        del unusual[""]
        if unusual:
            which = ", ".join(f"{number:,} {name}" for name, number in sorted(unusual.items()))
            as_what = "RGB" if channels == 3 else "gray"
            pictures.notes.append(f"read as {as_what} of 8 bits: {which}")
        return channels, height, width


def _middle_size(headers: list[ImageHeader]) -> tuple[int, int]:
    """The median height and width, made smaller where the longer side is over `MAX_SIDE`."""
    height, width = (
        int(median(sides)) for sides in zip(*(header[:2] for header in headers), strict=True)
    )
    factor = min(1.0, MAX_SIDE / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def _size_range(headers: list[ImageHeader]) -> str:
    by_area = sorted((header.height * header.width, *header[:2]) for header in headers)
    (_, *low), (_, *high) = by_area[0], by_area[-1]
    texts = [f"{height} x {width}" for height, width in (low, high)]
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def _read_headers(pictures: Pictures) -> list[ImageHeader]:
    """The headers of all pictures; those that cannot be read are left out."""
    failures: dict[Path, str] = {}

    def read(file: Path) -> ImageHeader | None:
        try:
            return read_image_header(file)
        except DataError as failure:
            failures[file] = _reason(file, failure)
            return None

    headers = [header for header in _in_threads(read, pictures.files, "looking at") if header]
    if not headers:
        file, why = min(failures.items())
        raise DataError(f"{file}: cannot be read as a picture, and neither can the others: {why}")
    pictures.leave_out(failures)
    return headers


def _read_pixels(pictures: Pictures, shape: tuple[int, int, int]) -> Tensor:
    """All pictures as uint8 [N, C, H, W], decoded by several threads; those that cannot be are left
    out.
    """
    channels, height, width = shape
    files = pictures.files
    pixels = torch.empty(len(files), *shape, dtype=torch.uint8)
    failures: dict[Path, str] = {}

    def read(index: int) -> bool:
        try:
            picture, is_transparent = decode_on_white(files[index], channels)
        except DataError as failure:
            failures[files[index]] = _reason(files[index], failure)
            return False
        if picture.size != (width, height):
            picture = resize_image(picture, width, height)
        pixels[index] = image_to_tensor(picture)
        return is_transparent

    if transparent := sum(_in_threads(read, range(len(files)), "reading")):
        pictures.notes.append(f"put {count(transparent, 'transparent picture')} on white")
    readable = torch.tensor([file not in failures for file in files])
    pictures.leave_out(failures)
    return pixels if not failures else pixels[readable]


def _reason(file: Path, failure: DataError) -> str:
    """Why a picture cannot be read, without its name."""
    text = str(failure).removeprefix(f"{file}: ").removeprefix("cannot be read as a picture: ")
    return text.split(";")[0]


def _targets(pictures: Pictures, labels: str | None) -> tuple[Tensor, tuple[str, ...]]:
    """Class indices [N] and the names of the classes; or amounts [N, 1] and none, where the labels
    of a table are numbers with fractions.
    """
    texts = [label for part in pictures.parts for _, label in part]
    if labels is not None and (numbers := _amounts(texts)) is not None:
        return torch.tensor(numbers, dtype=torch.float64)[:, None], ()
    classes = tuple(sorted(set(texts)))
    if len(classes) < 2:
        raise DataError(
            f"{pictures.folder}: all pictures that can be read are {''.join(classes) or 'none'}; "
            "give some of at least two classes"
        )
    place = {name: index for index, name in enumerate(classes)}
    return torch.tensor([place[text] for text in texts]), classes


def _amounts(texts: list[str]) -> list[float] | None:
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return None
    has_fractions = any(number != math.floor(number) for number in numbers if number - number == 0)
    return numbers if has_fractions else None


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
