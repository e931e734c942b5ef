"""New inputs from files, as `predict` takes them: raw, before any scaling.

Pictures, rows of a table, arrays of NumPy.
"""

from __future__ import annotations

import math
import textwrap
import warnings
from collections import Counter
from pathlib import Path

import numpy
import torch
from jaxtyping import Float
from torch import Tensor

from sevensteps.data.formats.csv import read_table
from sevensteps.data.formats.delimited import find_separator, read_records
from sevensteps.data.formats.image_file import IMAGE_ENDINGS, decode_image, resize_image
from sevensteps.data.formats.json_lines import read_json
from sevensteps.data.formats.library_errors import short_reason
from sevensteps.data.loading import SOURCE_OF_ENDING
from sevensteps.data.preprocessing import Preprocessing
from sevensteps.data.table.cell_parsing import MAX_NUMBER
from sevensteps.data.table.column_encoding import Column, Encoding
from sevensteps.data.table.table import Table
from sevensteps.errors import DataError
from sevensteps.render.text import count_text

MAX_CELL = 1000  # characters; a number has far fewer
MAX_NUMBERS = 400_000_000  # in one file; 3 GB as they are stored here


def read_inputs(
    path: Path, inputs: Preprocessing, *, resize: bool = False, invert: bool = False
) -> tuple[list[str], Float[Tensor, "N ..."]]:
    """The samples in one file, with a name for each, as raw inputs `[N, *inputs.shape]`.

    A picture is one sample: made gray or RGB as trained on, its brightness 0 to 255 brought to the
    range of the training's own pixels; `resize` allows another size than trained on, `invert` turns
    dark on light into light on dark. A CSV has a row a sample, with or without a header; a header
    is matched with the names of the columns, as those of a Parquet file are. An array holds
    samples, or is one; each has the shape trained on, is flat, or is a gray picture without its
    channel. Raises `DataError` with the file and the fix.
    """
    try:
        is_file = path.is_file()
    except OSError as failure:  # a name that is too long, a folder that may not be looked into
        raise DataError(f"{path}: cannot be read: {failure.strerror}") from None
    if not is_file:
        raise DataError(
            f"{path}: there is no such file; give a picture, a table such as a .csv, or a .npy"
        )
    ending = path.suffix.lower()
    if ending in IMAGE_ENDINGS:
        return [path.name], _read_picture(path, inputs, resize, invert)[None]
    source = next(
        (name for end, name in SOURCE_OF_ENDING.items() if path.name.lower().endswith(end)), None
    )
    if source == "csv":
        return _read_csv(path, inputs)
    if source == "parquet":
        from sevensteps.data.formats.parquet import ParquetTable

        return _read_typed(ParquetTable(path), inputs)
    if source == "excel":
        from sevensteps.data.formats.excel import read_workbook

        return _read_typed(read_workbook(path), inputs)
    if source == "json_lines":
        return _read_typed(read_json(path), inputs)
    if ending == ".npy":
        return _read_npy(path, inputs)
    raise DataError(
        f"{path}: files of kind '{ending}' cannot be read; give a picture "
        f"({', '.join(IMAGE_ENDINGS[:3])}), a table (.csv, .tsv, .xlsx, .parquet, .jsonl) or a .npy"
    )


def _read_picture(
    path: Path, inputs: Preprocessing, resize: bool, invert: bool
) -> Float[Tensor, "C H W"]:
    if inputs.kind != "image":
        raise DataError(
            f"{path}: a picture, but the network was trained on "
            f"{count_text(len(inputs.features) or math.prod(inputs.shape), 'column')} of a table; "
            "give a .csv, a .parquet or a .npy"
        )
    channels, height, width = inputs.shape
    picture = decode_image(path, channels)
    if picture.size != (width, height):
        if not resize:
            raise DataError(
                f"{path}: {picture.width} × {picture.height} pixels, but the network was trained "
                f"on {width} × {height}; allow --resize, or crop the picture first"
            )
        picture = resize_image(picture, width, height)
    pixels = torch.from_numpy(numpy.asarray(picture, dtype=numpy.float32).copy())
    pixels = (255 - pixels if invert else pixels) / 255 * (inputs.highest or 255)
    return pixels[None] if channels == 1 else pixels.permute(2, 0, 1)


def _read_typed(table: Table, inputs: Preprocessing) -> tuple[list[str], Tensor]:
    """The rows of a table whose columns have names."""
    encoding = inputs.encoding
    if encoding is None:  # trained on arrays, whose columns are numbers
        size = math.prod(inputs.shape)
        if not inputs.features and len(table.names) != size:
            raise DataError(
                f"{table.where}: has {len(table.names)} columns, but the network takes {size} "
                "numbers"
            )
        encoding = Encoding(
            tuple(Column(name, "number") for name in inputs.features or table.names)
        )
    names, x = _encode_rows(table, encoding)
    return names, x.reshape(len(x), *inputs.shape)


def _encode_rows(table: Table, encoding: Encoding) -> tuple[list[str], Float[Tensor, "N F"]]:
    """All rows of a table, with a name for each."""
    encoding.check(set(table.names), table.where)
    x = torch.from_numpy(
        numpy.concatenate([encoding.encode(block) for block in table.blocks(encoding.names)])
    )
    return [f"{table.title}:{row}" for row in range(1, len(x) + 1)], x


def _read_csv(path: Path, inputs: Preprocessing) -> tuple[list[str], Tensor]:
    if inputs.encoding is not None:
        return _encode_rows(read_table(path), inputs.encoding)
    size = math.prod(inputs.shape)
    header: list[str] = []
    places: list[int] = []  # of the network's inputs among the columns that the header names
    samples: list[list[float]] = []
    for cells in read_records(path, find_separator(path)):
        where = f"{path}: row {len(samples) + 1}"
        if len(cells) > 10 * size + 100 or any(len(cell) > MAX_CELL for cell in cells):
            raise DataError(
                f"{where} has {len(cells)} cells, or one of over {MAX_CELL} characters; give "
                f"{size} numbers a row"
            )
        numbers = [_to_number(cell) for cell in cells]
        if not header and not samples and _is_header(cells, numbers, inputs):
            header = [cell.strip() for cell in cells]
            continue
        if header and inputs.features:
            places = places or _match_columns(path, header, inputs.features)
            if len(cells) != len(header):
                raise DataError(
                    f"{where} has {len(cells)} cells under a header of {len(header)}; give one "
                    "for each"
                )
            cells = [cells[place] for place in places]
            numbers = [numbers[place] for place in places]
        samples.append(_check_numbers(where, cells, numbers, size))
        if len(samples) * size > MAX_NUMBERS // 8:  # each is an object of Python's at first
            raise DataError(
                f"{path}: has more than {MAX_NUMBERS // 8:,} numbers; give it in parts, or as a "
                ".npy"
            )
    if not samples:
        raise DataError(f"{path}: has no row of numbers; give {size} numbers a row")
    # float32 would round before the scaling takes its offset off
    x = torch.tensor(samples, dtype=torch.float64).reshape(len(samples), *inputs.shape)
    return [f"{path.name}:{row}" for row in range(1, len(samples) + 1)], x


def _is_header(cells: list[str], numbers: list[float | None], inputs: Preprocessing) -> bool:
    """Names only, or a column's name among them; else a word is a mistake in a first row of
    numbers.
    """
    words = [cell.strip() for cell, number in zip(cells, numbers, strict=True) if number is None]
    return bool(words) and (len(words) == len(cells) or not set(words).isdisjoint(inputs.features))


def _match_columns(path: Path, header: list[str], features: tuple[str, ...]) -> list[int]:
    """The place of each feature in the header. Raises `DataError` for one that is missing, or
    there twice.
    """
    place = {name: index for index, name in enumerate(header)}
    missing = [name for name in features if name not in place]
    if missing:
        raise DataError(
            f"{path}: the column '{missing[0]}' is missing; the network was trained on "
            f"{', '.join(features)}"
        )
    count = Counter(header)
    twice = [name for name in features if count[name] > 1]
    if twice:
        raise DataError(f"{path}: the column '{twice[0]}' is there twice; keep one")
    return [place[name] for name in features]


def _check_numbers(
    where: str, cells: list[str], numbers: list[float | None], size: int
) -> list[float]:
    """The numbers of a row. Raises `DataError` unless they are `size` finite ones."""
    if len(numbers) != size:
        raise DataError(f"{where} has {len(numbers)} cells, but the network takes {size} numbers")
    for cell, number in zip(cells, numbers, strict=True):
        if number is None or not abs(number) <= MAX_NUMBER:  # nan too
            raise DataError(
                f"{where} has '{textwrap.shorten(cell, 40)}' where a finite number belongs"
            )
    return [number for number in numbers if number is not None]


def _to_number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _read_npy(path: Path, inputs: Preprocessing) -> tuple[list[str], Tensor]:
    try:
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":  # numpy.load would also open archives
                raise DataError(f"{path}: is no .npy; write one with numpy.save")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            array = numpy.load(path, mmap_mode="r", allow_pickle=False)
    except DataError:
        raise
    # the header is read as Python, and lets out whatever error that leads to
    except Exception as failure:
        raise DataError(f"{path}: cannot be read as a .npy: {short_reason(failure)}") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path}: holds {array.dtype}; give numbers")
    size = math.prod(inputs.shape)
    # as trained on, flat, or gray without its channel; any other would mix up the pixels
    sample_shapes = [inputs.shape, (size,)]
    if inputs.shape[0] == 1:
        sample_shapes.append(inputs.shape[1:])
    is_empty = not len(array) if array.ndim else size > 1
    if is_empty or (array.shape not in sample_shapes and array.shape[1:] not in sample_shapes):
        raise DataError(
            f"{path}: has shape {list(array.shape)}, but the network takes {['N', *inputs.shape]}"
        )
    if array.size > MAX_NUMBERS:
        raise DataError(
            f"{path}: has {array.size:,} numbers; at most {MAX_NUMBERS:,} are answered at once; "
            "give it in parts"
        )
    x = torch.from_numpy(array.astype(numpy.float64)).reshape(-1, *inputs.shape)
    if not bool((x.abs() <= MAX_NUMBER).all()):  # nan too
        raise DataError(f"{path}: has numbers that are not finite; remove or fill them")
    return [f"{path.name}[{row}]" for row in range(len(x))], x
