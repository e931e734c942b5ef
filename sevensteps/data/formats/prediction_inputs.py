"""New inputs from files, as `predict` takes them: pictures, rows of a table, arrays of NumPy; raw,
before any scaling.
"""

from __future__ import annotations

import csv
import math
import textwrap
import warnings
from collections import Counter
from pathlib import Path

import numpy
import torch
from jaxtyping import Float
from torch import Tensor

from sevensteps.data.formats.csv import lines, sheet
from sevensteps.data.formats.picture_file import PICTURES, decoded, resized, why
from sevensteps.data.preprocessing import Inputs
from sevensteps.data.table.columns import Column, Encoding
from sevensteps.data.table.frame import Frame
from sevensteps.errors import DataError

MAX_CELL = 1000  # characters; a number has far fewer
MAX_NUMBERS = 400_000_000  # in one file; 3 GB as they are held here
MAX_NUMBER = torch.finfo(torch.float32).max  # what the network computes in


def read_inputs(
    path: Path, inputs: Inputs, *, resize: bool = False, invert: bool = False
) -> tuple[list[str], Float[Tensor, "N ..."]]:
    """The samples in one file, with a name for each, as raw inputs `[N, *inputs.shape]`.

    A picture is one sample: made gray or RGB as trained on, its brightness 0 to 255 brought to the
    range of the training's own pixels; `resize` allows another size than trained on, `invert` turns
    dark on light into light on dark. A CSV has a row a sample, with or without a header; a header
    is matched with the names of the columns, as those of a Parquet file are. An array holds
    samples, or is one; each has the shape trained on, is flat, or is a gray picture without its
    channel. Raises `DataError` with the file and the fix."""
    try:
        found = path.is_file()
    except OSError as failure:  # a name that is too long, a folder that may not be looked into
        raise DataError(f"{path}: cannot be read: {failure.strerror}") from None
    if not found:
        raise DataError(
            f"{path}: there is no such file; give a picture, a .csv, a .parquet or a .npy"
        )
    kind = path.suffix.lower()
    if kind in PICTURES:
        return [path.name], _picture(path, inputs, resize, invert)[None]
    if kind == ".csv":
        return _rows(path, inputs)
    if kind == ".parquet":
        return _columns(path, inputs)
    if kind == ".npy":
        return _array(path, inputs)
    raise DataError(
        f"{path}: files of kind '{kind}' cannot be read; give a picture "
        f"({', '.join(PICTURES[:3])}), a .csv, a .parquet or a "
        ".npy"
    )


def _picture(path: Path, inputs: Inputs, resize: bool, invert: bool) -> Float[Tensor, "C H W"]:
    if inputs.kind != "image":
        raise DataError(
            f"{path}: a picture, but the network was trained on "
            f"{len(inputs.features) or math.prod(inputs.shape)} columns of a "
            "table; give a .csv, a .parquet or a .npy"
        )
    channels, height, width = inputs.shape
    picture = decoded(path, channels)
    if picture.size != (width, height):
        if not resize:
            raise DataError(
                f"{path}: {picture.width} × {picture.height} pixels, but the network was trained "
                f"on {width} × {height}; "
                "allow --resize, or crop the picture first"
            )
        picture = resized(picture, width, height)
    pixels = torch.from_numpy(numpy.asarray(picture, dtype=numpy.float32).copy())
    pixels = (255 - pixels if invert else pixels) / 255 * (inputs.highest or 255)
    return pixels[None] if channels == 1 else pixels.permute(2, 0, 1)


def _columns(path: Path, inputs: Inputs) -> tuple[list[str], Tensor]:
    from sevensteps.data.formats.parquet import Parquet

    frame, encoding = Parquet(path), inputs.encoding
    if encoding is None:  # trained on arrays, whose columns are numbers
        size = math.prod(inputs.shape)
        if not inputs.features and len(frame.names) != size:
            raise DataError(
                f"{path}: has {len(frame.names)} columns, but the network takes {size} numbers"
            )
        encoding = Encoding(
            tuple(Column(name, "number") for name in inputs.features or frame.names)
        )
    names, held = _encoded(frame, encoding)
    return names, held.reshape(len(held), *inputs.shape)


def _encoded(frame: Frame, encoding: Encoding) -> tuple[list[str], Float[Tensor, "N F"]]:
    """All rows of a table, with a name for each."""
    encoding.check(set(frame.names), frame.where)
    held = torch.from_numpy(
        numpy.concatenate([encoding.encode(block) for block in frame.blocks(encoding.names)])
    )
    return [f"{frame.title}:{row}" for row in range(1, len(held) + 1)], held


def _rows(path: Path, inputs: Inputs) -> tuple[list[str], Tensor]:
    if inputs.encoding is not None:
        return _encoded(sheet(path), inputs.encoding)
    wanted = math.prod(inputs.shape)
    names: list[str] = []
    samples: list[list[float]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for cells in csv.reader(lines(path, file)):
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) > 10 * wanted + 100 or any(len(cell) > MAX_CELL for cell in cells):
                    raise DataError(
                        f"{path}: row {len(samples) + 1} has {len(cells)} cells, or one of over "
                        f"{MAX_CELL} characters; "
                        f"give {wanted} numbers a row"
                    )
                numbers = [_number(cell) for cell in cells]
                if not names and not samples and _is_header(cells, numbers, inputs):
                    names = [cell.strip() for cell in cells]
                    continue
                samples.append(_row(path, len(samples) + 1, cells, numbers, names, inputs, wanted))
                if (
                    len(samples) * wanted > MAX_NUMBERS // 8
                ):  # each is an object of Python's at first
                    raise DataError(
                        f"{path}: has more than {MAX_NUMBERS // 8:,} numbers; give it in parts, "
                        "or as a .npy"
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as failure:
        raise DataError(f"{path}: cannot be read as a CSV: {why(failure)}") from None
    if not samples:
        raise DataError(f"{path}: has no row of numbers; give {wanted} numbers a row")
    held = torch.tensor(
        samples, dtype=torch.float64
    )  # float32 would round before the scaling takes its offset off
    return [f"{path.name}:{row}" for row in range(1, len(samples) + 1)], held.reshape(
        len(samples), *inputs.shape
    )


def _is_header(cells: list[str], numbers: list[float | None], inputs: Inputs) -> bool:
    """Names only, or a column's name among them; else a word is a mistake in a first row of
    numbers.
    """
    words = [cell.strip() for cell, value in zip(cells, numbers, strict=True) if value is None]
    return bool(words) and (len(words) == len(cells) or not set(words).isdisjoint(inputs.features))


def _row(
    path: Path,
    row: int,
    cells: list[str],
    numbers: list[float | None],
    names: list[str],
    inputs: Inputs,
    wanted: int,
) -> list[float]:
    if names and inputs.features:
        place, often = (
            {name: index for index, name in enumerate(names)},
            Counter(names),
        )  # there may be a hundred thousand columns
        missing = [name for name in inputs.features if name not in place]
        if missing:
            raise DataError(
                f"{path}: the column '{missing[0]}' is missing; the network was trained on "
                f"{', '.join(inputs.features)}"
            )
        twice = [name for name in inputs.features if often[name] > 1]
        if twice:
            raise DataError(f"{path}: the column '{twice[0]}' is there twice; keep one")
        if len(numbers) != len(names):
            raise DataError(
                f"{path}: row {row} has {len(numbers)} cells under a header of {len(names)}; give "
                "one for each"
            )
        places = [place[name] for name in inputs.features]
        cells, numbers = [cells[place] for place in places], [numbers[place] for place in places]
    if len(numbers) != wanted:
        raise DataError(
            f"{path}: row {row} has {len(numbers)} cells, but the network takes {wanted} numbers"
        )
    for cell, value in zip(cells, numbers, strict=True):
        if value is None or not abs(value) <= MAX_NUMBER:  # nan too
            raise DataError(
                f"{path}: row {row} has '{textwrap.shorten(cell, 40)}' where a finite number "
                "belongs"
            )
    return [value for value in numbers if value is not None]


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _array(path: Path, inputs: Inputs) -> tuple[list[str], Tensor]:
    try:
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":  # numpy.load would also open archives
                raise DataError(f"{path}: is no .npy; write one with numpy.save")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            found = numpy.load(path, mmap_mode="r", allow_pickle=False)
    except DataError:
        raise
    except (
        Exception
    ) as failure:  # the header is read as Python, and lets out whatever error that leads to
        raise DataError(f"{path}: cannot be read as a .npy: {why(failure)}") from None
    if found.dtype.kind not in "biuf":
        raise DataError(f"{path}: holds {found.dtype}; give numbers")
    size = math.prod(inputs.shape)
    forms = [
        inputs.shape,
        (size,),
        *([inputs.shape[1:]] if inputs.shape[0] == 1 else []),
    ]  # no other: it would mix up the pixels
    if not len(found) if found.ndim else size > 1:
        forms = []
    if found.shape not in forms and found.shape[1:] not in forms:
        raise DataError(
            f"{path}: has shape {list(found.shape)}, but the network takes {['N', *inputs.shape]}"
        )
    if found.size > MAX_NUMBERS:
        raise DataError(
            f"{path}: has {found.size:,} numbers; at most {MAX_NUMBERS:,} are answered at once; "
            "give it in parts"
        )
    samples = torch.from_numpy(found.astype(numpy.float64)).reshape(-1, *inputs.shape)
    if not bool((samples.abs() <= MAX_NUMBER).all()):  # nan too
        raise DataError(f"{path}: has numbers that are not finite; remove or fill them")
    return [f"{path.name}[{row}]" for row in range(len(samples))], samples
