"""Arrays of one's own in a .npz: read as `from_arrays` takes them, refused to the word."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import sevensteps as ss
from sevensteps.data.formats import npz
from sevensteps.errors import DataError, Error, NotationError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_arrays_are_those_of_from_arrays() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(5, 2, (60, 3)), draw.integers(0, 3, 60)
    np.savez("table.npz", x=x, y=y)
    data = ss.data.load("table.npz")
    other = ss.data.from_arrays(x, y, scale="standardize")
    assert data.source == 'npz("table.npz")'
    assert torch.equal(data.train.x, other.train.x)
    assert torch.equal(data.valid.y, other.valid.y)
    np.savez_compressed("parts.npz", x=x, y=y, x_valid=x[:7], y_valid=y[:7])
    assert (len(ss.data.load("parts.npz").train), len(ss.data.load("parts.npz").valid)) == (60, 7)


def test_pictures_as_keras_stores_them() -> None:
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (40, 5, 6, 3), dtype=np.uint8)
    y = np.array(["cat", "dog"] * 20)
    np.savez("keras.npz", x_train=x, y_train=y, x_test=x[:4], y_test=y[:4])
    data = ss.data.load("keras.npz")
    assert tuple(data.train.x.shape) == (40, 3, 5, 6)
    assert data.task.classes == ("cat", "dog")
    assert torch.equal(
        (data.valid.x * 255).round().byte(), torch.from_numpy(x[:4]).permute(0, 3, 1, 2)
    )
    np.savez("gray.npz", x=x[..., 0], y=np.arange(40) % 2)
    assert tuple(ss.data.load("gray.npz").train.x.shape[1:]) == (1, 5, 6)


def archive(name: str, **members: bytes) -> None:
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as file:
        for member, content in members.items():
            file.writestr(f"{member}.npy", content)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def announced(shape: str) -> bytes:
    """A .npy that announces more numbers than follow."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + b"\0" * 64


GOOD = npy(np.arange(6) % 2)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"x": npy(np.ones((6, 2)))}, r"^a.npz: holds x; name the arrays x and y$"),
        ({}, r"^a.npz: holds nothing; name the arrays x and y$"),
        (
            {"x": npy(np.ones((6, 2))), "y": GOOD, "x_valid": npy(np.ones((6, 2)))},
            r"^a.npz: holds only one of x_valid and y_valid; give both",
        ),
        (
            {"x": npy(np.array([{}] * 6, dtype=object)), "y": GOOD},
            r"^a.npz: cannot be read as a .npz: it holds Python objects, which could",
        ),
        ({"x": announced("(9000000000000, 2)"), "y": GOOD}, r"^a.npz: cannot be read as a .npz: "),
        ({"x": announced("(10, 2)"), "y": GOOD}, r"^a.npz: cannot be read as a .npz: "),
        ({"x": announced("__import__('os')"), "y": GOOD}, r"^a.npz: cannot be read as a .npz: "),
        (
            {"x": b"nothing", "y": GOOD},
            r"^a.npz: 'x' in it is no array; write it with numpy.savez$",
        ),
        ({"x": npy(np.ones((5, 2))), "y": GOOD}, r'^npz\("a.npz"\): 5 inputs but 6 targets'),
        ({"x": npy(np.full((6, 2), np.nan)), "y": GOOD}, r'^npz\("a.npz"\): .* not finite'),
    ],
)
def test_bad_archives_are_one_line(members: dict[str, bytes], message: str) -> None:
    archive("a.npz", **members)
    with pytest.raises(Error, match=message) as caught:
        ss.data.load("a.npz")
    assert "\n" not in str(caught.value)


def test_what_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed("a.npz", x=np.zeros((6, 1000)), y=np.arange(6) % 2)
    monkeypatch.setattr(npz, "MAX_BYTES", 40_000)
    with pytest.raises(DataError, match=r"^a.npz: unpacks to 0.0 GB; at most 0 are read$"):
        ss.data.load("a.npz")


def test_no_archive() -> None:
    Path("a.npz").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(
        DataError, match=r"^a.npz: cannot be read as a .npz: File is not a zip file$"
    ):
        ss.data.load("a.npz")
    with pytest.raises(
        NotationError,
        match=r"^data: 'b.doc/' is no folder of pictures, and no .csv, .xlsx, .parquet, .jsonl, "
        r".npz, .npy or IDX file; ",
    ):
        ss.data.load("b.doc/")
