"""Files that are damaged or hostile, one row each: what was asked, and the one line that says what
was seen and what to do.
"""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.hostile.conftest import Refused

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
PARTS = {
    IMAGES: b"\0\0\x08\x03" + struct.pack(">3I", 20, 2, 2) + bytes(80),
    LABELS: b"\0\0\x08\x01" + struct.pack(">I", 20) + bytes(range(10)) * 2,
    "t10k-images-idx3-ubyte": b"\0\0\x08\x03" + struct.pack(">3I", 10, 2, 2) + bytes(40),
    "t10k-labels-idx1-ubyte": b"\0\0\x08\x01" + struct.pack(">I", 10) + bytes(range(10)),
}
MNIST = ("train", "mnist", "--data-dir", "mnist")


# -- files to make mistakes with -------------------------------------------------------------------


def idx(name: str, content: bytes, packed: bool = False) -> Callable[[], None]:
    """The four files of MNIST, small, with another content of one."""

    def prepare() -> None:
        Path("mnist").mkdir()
        for part, held in PARTS.items():
            if part != name:
                Path("mnist", part).write_bytes(held)
        Path("mnist", name + (".gz" if packed else "")).write_bytes(content)

    return prepare


def header(*sizes: int, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def file(name: str, content: str | bytes) -> Callable[[], None]:
    return lambda: (
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content),
        None,
    )[1]


def archive(**arrays: np.ndarray) -> Callable[[], None]:
    return lambda: np.savez("a.npz", **arrays)


def cut_archive() -> None:
    np.savez("a.npz", x=np.zeros((9, 2)), y=np.arange(9) % 2)
    Path("a.npz").write_bytes(Path("a.npz").read_bytes()[:-40])


def boastful_archive() -> None:
    """A member whose header announces a hundred terabytes."""
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (13743895347200,), }\n"
    with zipfile.ZipFile("a.npz", "w") as made:
        made.writestr("x.npy", b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + bytes(80))


def pictures(*made: tuple[str, bytes | Image.Image]) -> Callable[[], None]:
    """A folder of pictures in two classes, of two black pictures each, and more."""

    def prepare() -> None:
        for place in ("a", "b"):
            Path("pets", place).mkdir(parents=True)
            for number in range(2):
                Image.new("L", (4, 4)).save(f"pets/{place}/{number}.png")
        for name, held in made:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(held, bytes):
                Path(name).write_bytes(held)
            else:
                held.save(name)

    return prepare


def one_class() -> None:
    Path("pets/a").mkdir(parents=True)


def png(width: int, height: int) -> bytes:
    """A picture of a few bytes that unpacks to width times height pixels."""

    def chunk(kind: bytes, held: bytes) -> bytes:
        return (
            struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def encoded(picture: Image.Image, kind: str) -> bytes:
    held = io.BytesIO()
    picture.save(held, kind)
    return held.getvalue()


def array(held: np.ndarray) -> Callable[[], None]:
    return lambda: np.save("a.npy", held, allow_pickle=True)


def rows(*lines: str) -> Callable[[], None]:
    return file("a.csv", "\n".join(lines) + "\n")


# -- the table -------------------------------------------------------------------------------------

CSV = ("train", "a.csv", "--target", "t")
STRICT = (*CSV, "--missing", "refuse")
NPZ = ("train", "a.npz")
PETS = ("train", "pets/")
XOR = ("predict", "run")
TEN = [f"{n},{n % 2}" for n in range(10)]
BAD: dict[str, tuple[Callable[[], None], tuple[str, ...], str]] = {
    # IDX
    "IDX: header cut": (
        idx(IMAGES, b"\0\0\x08\x03\0\0"),
        MNIST,
        "mnist/train-images-idx3-ubyte: cut short inside its header; fetch it again",
    ),
    "IDX: nine dimensions": (
        idx(IMAGES, header(*[1] * 9) + b"\0"),
        MNIST,
        "mnist/train-images-idx3-ubyte: is not IDX: it starts with 00 00 08 09, not with 00 00 08 "
        "and 01 (labels) or 03 (images); give "
        "the files as MNIST publishes them",
    ),
    "IDX: announces terabytes": (
        idx(IMAGES, header(2**32 - 1, 2**10, 2**10)),
        MNIST,
        "mnist/train-images-idx3-ubyte: cut short: its header announces 4294967295 x 1024 x 1024 "
        "numbers, more than a file of its size "
        "can hold; fetch it again",
    ),
    "IDX: announces nothing, in no memory's dimensions": (
        idx(IMAGES, header(0, 2**32 - 1, 2**32 - 1)),
        MNIST,
        "mnist/train-images-idx3-ubyte: its header announces 0 x 4294967295 x 4294967295 numbers, "
        "more than the 2 GB that are read; "
        "fetch it again, or give a part of them",
    ),
    "IDX: goes on": (
        idx(IMAGES, PARTS[IMAGES] + b"\0"),
        MNIST,
        "mnist/train-images-idx3-ubyte: goes on after the 20 x 2 x 2 numbers that its header "
        "announces; fetch it again",
    ),
    "IDX: floats": (
        idx(IMAGES, header(20, 2, 2, kind=0x0D) + bytes(320)),
        MNIST,
        "mnist/train-images-idx3-ubyte: the pixels are float32, where unsigned bytes are "
        "expected; convert them to 0..255",
    ),
    "IDX: no picture": (
        idx(IMAGES, header(0, 2, 2)),
        MNIST,
        "mnist/train-images-idx3-ubyte: holds 0 x 2 x 2 numbers (3 dimensions): no pixel in it; "
        "fetch it again",
    ),
    "IDX: no label": (
        idx(LABELS, header(0)),
        MNIST,
        "mnist/train-labels-idx1-ubyte: no label in it; fetch it again",
    ),
    "IDX: not packed": (
        idx(IMAGES, PARTS[IMAGES], packed=True),
        MNIST,
        "mnist/train-images-idx3-ubyte.gz: its name ends in .gz but it is not gzip; take .gz off "
        "the name, or fetch it again",
    ),
    "IDX: packed, and turned": (
        idx(IMAGES, gzip.compress(PARTS[IMAGES], mtime=0)[:-8] + bytes(8), packed=True),
        MNIST,
        "mnist/train-images-idx3-ubyte.gz: damaged gzip (CRC check failed 0x0 != 0xade43997); "
        "fetch it again",
    ),
    "IDX: a bomb": (
        idx(
            IMAGES,
            gzip.compress(
                header(2**21, 2**5, 2**6) + random.Random(0).randbytes(5 << 20), 1, mtime=0
            ),
            packed=True,
        ),
        MNIST,
        "mnist/train-images-idx3-ubyte.gz: its header announces 2097152 x 32 x 64 numbers, more "
        "than the 2 GB that are read; fetch it "
        "again, or give a part of them",
    ),
    # tables
    "CSV: empty": (file("a.csv", ""), CSV, "a.csv: is empty"),
    "CSV: only a header": (
        rows("x,t"),
        CSV,
        "a.csv: has no row below its header; give at least two",
    ),
    "CSV: a row too long": (
        rows("x,t", "1,0", "2,0,1"),
        CSV,
        "a.csv: row 2 has 3 cells under a header of 2; put quotes around a cell that holds the "
        "separator, or remove what is too many",
    ),
    "CSV: a gap": (
        rows("x,t", "1,0", ",1", *TEN),
        STRICT,
        "a.csv: row 2 has no x; fill it in, leave the row out, or train with --missing fill",
    ),
    "CSV: a gap in the target": (
        rows("x,t", "1,0", "2,", *TEN),
        STRICT,
        "a.csv: row 2 has no t, and what is to be predicted cannot be filled in; leave such rows "
        "out with sevensteps train a.csv --target t --missing fill",
    ),
    "CSV: a word among numbers": (
        rows("x,t", *TEN, *TEN, "many,1"),
        STRICT,
        "a.csv: row 21 has x 'many' in a column of numbers; mend it, take such cells for gaps "
        "with sevensteps train a.csv --target t --missing fill, or leave the column out with "
        "sevensteps train a.csv --target t --missing refuse --drop x",
    ),
    "CSV: names": (
        rows("x,t", *(f"name{n},{n % 2}" for n in range(300))),
        CSV,
        "a.csv: no column is left to predict from: x has 300 different texts in 300 rows: names",
    ),
    "CSV: no such column": (
        rows("x,target", *TEN),
        CSV,
        "a.csv: target 't' is no column; known: target, x",
    ),
    "CSV: only the target": (
        rows("t", *map(str, range(9))),
        CSV,
        "a.csv: no column is left to predict t from",
    ),
    "CSV: one class": (
        rows("x,t", "1,yes", "2,yes"),
        CSV,
        "all targets are yes: one class only; a classifier needs samples of at least two",
    ),
    "CSV: to predict a date": (
        rows("x,t", *(f"{n},2024-01-{n + 1:02}" for n in range(9))),
        CSV,
        "a.csv: t is a date, which is neither a class nor an amount; make it a number first",
    ),
    "CSV: a quote without end": (
        rows("x,t", '1,"' + "a\n" * 100_000),
        CSV,
        "a.csv: cannot be read as a CSV: field larger than field limit (131072)",
    ),
    "CSV: a line without end": (
        file("a.csv", b"x" * 16_000_001),
        CSV,
        "a.csv: line 1 has more than 16,000,000 characters; is it a table?",
    ),
    "CSV: a picture": (
        lambda: Path("a.csv").write_bytes(png(4, 4)) and None,
        CSV,
        "a.csv: is no text file; give a table as .csv, .xlsx or .parquet",
    ),
    "Excel: no workbook": (
        file("a.xlsx", b"PK"),
        ("train", "a.xlsx", "--target", "t"),
        "a.xlsx: cannot be read as a workbook: File is not a zip file; save it as .xlsx or .csv",
    ),
    "JSON: no object": (
        file("a.jsonl", '{"x": 1, "t": 2}\n[1, 2]\n'),
        ("train", "a.jsonl", "--target", "t"),
        "a.jsonl: row 2 is a list, not an object with the cells of a row",
    ),
    "JSON: a line cut short": (
        file("a.jsonl", '{"x": 1, "t": 2}\n{"x": 1, "t"'),
        ("train", "a.jsonl", "--target", "t"),
        "a.jsonl: line 2 cannot be read as JSON: Expecting ':' delimiter",
    ),
    # archives
    "npz: no file": (
        lambda: None,
        NPZ,
        "a.npz: there is no such file; give a .npz that numpy.savez wrote",
    ),
    "npz: other names": (
        archive(inputs=np.zeros((9, 2)), labels=np.arange(9)),
        NPZ,
        "a.npz: holds inputs, labels; name the arrays x and y",
    ),
    "npz: Python objects": (
        archive(x=np.array([{}] * 9), y=np.arange(9) % 2),
        NPZ,
        "a.npz: cannot be read as a .npz: it holds Python objects, which could run code; save "
        "numbers or texts",
    ),
    "npz: half of a pair": (
        archive(x=np.zeros((9, 2)), y=np.arange(9) % 2, x_valid=np.zeros((2, 2))),
        NPZ,
        "a.npz: holds only one of x_valid and y_valid; give both or none",
    ),
    "npz: other lengths": (
        archive(x=np.zeros((9, 2)), y=np.arange(8) % 2),
        NPZ,
        'npz("a.npz"): 9 inputs but 8 targets; give one target for each input',
    ),
    "npz: texts to learn from": (
        archive(x=np.array([["a"]] * 9), y=np.arange(9) % 2),
        NPZ,
        'npz("a.npz"): the inputs are <U1; give numbers',
    ),
    "npz: five dimensions": (
        archive(x=np.zeros((9, 2, 2, 2, 2)), y=np.arange(9) % 2),
        NPZ,
        'npz("a.npz"): inputs have shape [9, 2, 2, 2, 2]; give [samples, columns] for a table, '
        "[samples, 1 or 3, height, width] for "
        "images",
    ),
    "npz: targets that are missing": (
        archive(x=np.zeros((9, 2)), y=np.array([0.5, np.nan, 0.25] * 3)),
        NPZ,
        'npz("a.npz"): the training targets hold 3 numbers that are not finite (nan or inf), the '
        "first in row 1; leave those rows out",
    ),
    "npz: cut": (cut_archive, NPZ, "a.npz: cannot be read as a .npz: File is not a zip file"),
    "npz: not packed": (
        file("a.npz", b"x,y\n1,2\n"),
        NPZ,
        "a.npz: cannot be read as a .npz: File is not a zip file",
    ),
    "npz: announces terabytes": (
        boastful_archive,
        NPZ,
        "a.npz: cannot be read as a .npz: Unable to allocate 100. TiB for an array with shape "
        "(13743895347200,) and data type float64",
    ),
    # pictures
    "pictures: one class": (
        one_class,
        PETS,
        "pets: holds folders of pictures for each class, none was found; give at least two",
    ),
    "pictures: none": (
        pictures(*((f"pets/{name}.png", b"no") for name in ("a/0", "a/1", "b/0", "b/1"))),
        PETS,
        "pets/a/0.png: cannot be read as a picture, and neither can the others: it is none of "
        "PNG, JPEG, BMP, GIF, WEBP, TIFF",
    ),
    # new inputs
    "predict: no such file": (
        lambda: None,
        (*XOR, "a.npy"),
        "a.npy: there is no such file; give a picture, a table such as a .csv, or a .npy",
    ),
    "predict: another kind": (
        file("a.docx", b"PK"),
        (*XOR, "a.docx"),
        "a.docx: files of kind '.docx' cannot be read; give a picture (.png, .jpg, .jpeg), a "
        "table (.csv, .tsv, .xlsx, .parquet, .jsonl) or a .npy",
    ),
    "predict: a name without end": (
        lambda: None,
        (*XOR, "a" * 300 + ".npy"),
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.npy:"
        " cannot be read: File name too long",
    ),
    "predict: a picture for a table": (
        pictures(),
        (*XOR, "pets/a/0.png"),
        "pets/a/0.png: a picture, but the network was trained on 2 columns of a table; give a "
        ".csv, a .parquet or a .npy",
    ),
    "predict: a picture of another size": (
        pictures(),
        ("predict", "digits", "pets/a/0.png"),
        "pets/a/0.png: 4 × 4 pixels, but the network was trained on 8 × 8; allow --resize, or "
        "crop the picture first",
    ),
    "predict: too few numbers": (
        rows("1", "2"),
        (*XOR, "a.csv"),
        "a.csv: row 1 has 1 cells, but the network takes 2 numbers",
    ),
    "predict: a word": (
        rows("1,2", "1,many"),
        (*XOR, "a.csv"),
        "a.csv: row 2 has 'many' where a finite number belongs",
    ),
    "predict: not a number": (
        rows("1,2", "1,nan"),
        (*XOR, "a.csv"),
        "a.csv: row 2 has 'nan' where a finite number belongs",
    ),
    "predict: no row": (
        file("a.csv", "\n\n"),
        (*XOR, "a.csv"),
        "a.csv: has no row of numbers; give 2 numbers a row",
    ),
    "predict: another shape": (
        array(np.zeros((2, 3))),
        (*XOR, "a.npy"),
        "a.npy: has shape [2, 3], but the network takes ['N', 2]",
    ),
    "predict: Python objects": (
        array(np.array([{}, {}])),
        (*XOR, "a.npy"),
        "a.npy: cannot be read as a .npy: Array can't be memory-mapped: Python objects in dtype.",
    ),
    "predict: texts": (
        array(np.array([["a", "b"]])),
        (*XOR, "a.npy"),
        "a.npy: holds <U1; give numbers",
    ),
    "predict: infinity": (
        array(np.array([[1.0, np.inf]])),
        (*XOR, "a.npy"),
        "a.npy: has numbers that are not finite; remove or fill them",
    ),
    "predict: no array": (
        file("a.npy", b"\x93NUMPY\x01\0"),
        (*XOR, "a.npy"),
        "a.npy: cannot be read as a .npy: EOF: reading array header length, expected 2 bytes got 0",
    ),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_bad_file_is_one_line_that_says_the_fix(mistake: str, refused: Refused) -> None:
    prepare, arguments, message = BAD[mistake]
    prepare()
    refused(arguments, message)
