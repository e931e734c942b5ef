"""New inputs from files: what is read, to the number; what is refused, to the word."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sevensteps.data.formats.image_file import MAX_PIXELS
from sevensteps.data.prediction_inputs import read_inputs
from sevensteps.data.preprocessing import Preprocessing
from sevensteps.data.scaling import identity_scaling
from sevensteps.errors import DataError, Error

GRAY = Preprocessing((1, 2, 3), "image", (), 16.0, identity_scaling(), identity_scaling())
RGB = Preprocessing((3, 2, 3), "image", (), 255.0, identity_scaling(), identity_scaling())
TABLE = Preprocessing(
    (2,), "table", ("width", "height"), None, identity_scaling(), identity_scaling()
)
BARE = Preprocessing((2,), "table", (), None, identity_scaling(), identity_scaling())
PIXELS = np.array([[0, 51, 102], [153, 204, 255]], dtype=np.uint8)


def picture(path: Path, pixels: np.ndarray = PIXELS, mode: str | None = None) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return path


def text(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_a_gray_picture_comes_in_the_range_of_the_training(tmp_path: Path, mode: str) -> None:
    names, raw = read_inputs(picture(tmp_path / "a.png", mode=mode), GRAY)
    assert names == ["a.png"]
    assert raw.shape == (1, 1, 2, 3)
    assert torch.allclose(raw[0, 0], torch.tensor(PIXELS / 255 * 16).float(), rtol=1e-6)


def test_light_and_dark_are_exchanged(tmp_path: Path) -> None:
    _, raw = read_inputs(picture(tmp_path / "a.png"), GRAY, invert=True)
    assert torch.allclose(
        raw[0, 0], torch.tensor((255 - PIXELS.astype(float)) / 255 * 16).float(), rtol=1e-6
    )


def test_a_colour_picture_has_its_channels_first(tmp_path: Path) -> None:
    colours = np.stack([PIXELS, PIXELS // 3, 255 - PIXELS], 2)
    _, raw = read_inputs(picture(tmp_path / "a.png", colours), RGB)
    assert torch.equal(raw[0], torch.tensor(colours).permute(2, 0, 1).float())


def test_a_picture_of_another_size_needs_leave(tmp_path: Path) -> None:
    large = picture(tmp_path / "a.png", PIXELS.repeat(4, 0).repeat(4, 1))
    _, raw = read_inputs(large, GRAY, resize=True)
    # each pixel the mean of its sixteen
    assert torch.allclose(raw[0, 0], torch.tensor(PIXELS / 255 * 16).float(), rtol=1e-6)
    with pytest.raises(
        DataError, match=r"12 × 8 pixels, but the network was trained on 3 × 2; allow --resize"
    ):
        read_inputs(large, GRAY)


@pytest.mark.parametrize(
    ("content", "inputs", "rows"),
    [
        ("1,2\n3,4\n", BARE, [[1, 2], [3, 4]]),
        ("1,2\r\n\r\n3,4", TABLE, [[1, 2], [3, 4]]),
        ("\ufeffheight,width,other\n1,2,x\n3,4,y\n", TABLE, [[2, 1], [4, 3]]),
        ("a,b\n1,-2.5e1\n", BARE, [[1, -25]]),
    ],
)
def test_rows_of_a_csv(
    tmp_path: Path, content: str, inputs: Preprocessing, rows: list[list[float]]
) -> None:
    names, raw = read_inputs(text(tmp_path / "a.csv", content), inputs)
    assert names == [f"a.csv:{row}" for row in range(1, len(rows) + 1)]
    assert raw.tolist() == rows


@pytest.mark.parametrize("shape", [(4, 1, 2, 3), (4, 2, 3), (4, 6)])
def test_an_array_of_samples(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.arange(24.0).reshape(shape)
    np.save(tmp_path / "a.npy", array)
    names, raw = read_inputs(tmp_path / "a.npy", GRAY)
    assert names == [f"a.npy[{row}]" for row in range(4)]
    assert raw.flatten().tolist() == array.flatten().tolist()
    assert raw.shape == (4, 1, 2, 3)


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 3), (6,)])
def test_an_array_of_one_sample(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(shape))
    assert read_inputs(tmp_path / "a.npy", GRAY)[1].shape == (1, 1, 2, 3)


def saved(array: object) -> Callable[[Path], None]:
    return lambda path: np.save(path, np.asarray(array), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "make", "inputs", "message"),
    [
        (
            "a.png",
            None,
            GRAY,
            "there is no such file; give a picture, a table such as a .csv, or a .npy",
        ),
        (
            "a.docx",
            lambda p: text(p, "x"),
            GRAY,
            "files of kind '.docx' cannot be read; give a picture (.png, .jpg, .jpeg), a "
            "table (.csv, .tsv, .xlsx, .parquet, .jsonl) or a .npy",
        ),
        (
            "a.png",
            lambda p: picture(p),
            TABLE,
            "a picture, but the network was trained on 2 columns of a table; give a .csv, a "
            ".parquet or a "
            ".npy",
        ),
        ("a.csv", lambda p: text(p, ""), TABLE, "has no row of numbers; give 2 numbers a row"),
        (
            "a.csv",
            lambda p: text(p, "width,height\n"),
            TABLE,
            "has no row of numbers; give 2 numbers a row",
        ),
        (
            "a.csv",
            lambda p: text(p, "width,depth\n1,2\n"),
            TABLE,
            "the column 'height' is missing; the network was trained on width, height",
        ),
        (
            "a.csv",
            lambda p: text(p, "width,height\n1,2,3\n"),
            TABLE,
            "row 1 has 3 cells under a header of 2; give one for each",
        ),
        (
            "a.csv",
            lambda p: text(p, "1,2\n1,2,3\n"),
            TABLE,
            "row 2 has 3 cells, but the network takes 2 numbers",
        ),
        (
            "a.csv",
            lambda p: text(p, "1,2\n1,tall\n"),
            TABLE,
            "row 2 has 'tall' where a finite number belongs",
        ),
        (
            "a.csv",
            lambda p: text(p, "1,nan\n"),
            TABLE,
            "row 1 has 'nan' where a finite number belongs",
        ),
        (
            "a.csv",
            lambda p: text(p, "1," + "2" * 2000),
            TABLE,
            "row 1 has 2 cells, or one of over 1000 characters; give 2 numbers a row",
        ),
        ("a.npy", saved(["a", "b"]), TABLE, "holds <U1; give numbers"),
        (
            "a.npy",
            saved([[1.0, float("nan")]]),
            TABLE,
            "has numbers that are not finite; remove or fill them",
        ),
        (
            "a.npy",
            saved([[1.0, 2.0, 3.0]]),
            TABLE,
            "has shape [1, 3], but the network takes ['N', 2]",
        ),
        (
            "a.npy",
            saved(np.zeros((0, 2))),
            TABLE,
            "has shape [0, 2], but the network takes ['N', 2]",
        ),
        ("a.npy", saved(3.0), TABLE, "has shape [], but the network takes ['N', 2]"),
    ],
)
def test_what_cannot_be_read(
    tmp_path: Path,
    name: str,
    make: Callable[[Path], object] | None,
    inputs: Preprocessing,
    message: str,
) -> None:
    path = tmp_path / name
    if make is not None:
        make(path)
    with pytest.raises(DataError) as caught:
        read_inputs(path, inputs)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("name", "make", "start"),
    [
        ("a.png", lambda p: text(p, "hello"), "cannot be read as a picture: "),
        (
            "a.npy",
            saved([{"code": 1}]),
            "cannot be read as a .npy: ",
        ),  # a pickle, which is never opened
        ("a.npy", lambda p: text(p, b"\x93NUMPY"), "cannot be read as a .npy: "),
        ("a.csv", lambda p: text(p, b"\xff\xfe1,2"), "cannot be read as a CSV: "),
    ],
)
def test_what_is_damaged_or_something_else(
    tmp_path: Path, name: str, make: Callable[[Path], object], start: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(DataError) as caught:
        read_inputs(tmp_path / name, GRAY)
    assert str(caught.value).startswith(f"{tmp_path / name}: {start}")


def test_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    image = io.BytesIO()
    Image.new("1", (side, side)).save(image, "png")  # some ten kilobytes
    with pytest.raises(DataError, match=r"7072 × 7072 pixels; at most 50,000,000 are read"):
        read_inputs(text(tmp_path / "a.png", image.getvalue()), GRAY, resize=True)


HEADS = {
    ".png": b"\x89PNG\r\n\x1a\n",
    ".npy": b"\x93NUMPY\x01\x00",
    ".csv": b"1,2\n",
    ".gif": b"GIF89a",
}


@settings(max_examples=150)
@given(
    kind=st.sampled_from(sorted(HEADS)),
    headed=st.booleans(),
    content=st.binary(max_size=300),
    table=st.booleans(),
)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str, headed: bool, content: bytes, table: bool
) -> None:
    path = text(
        tmp_path_factory.mktemp("bytes") / f"a{kind}", (HEADS[kind] if headed else b"") + content
    )
    inputs = TABLE if table else GRAY
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            names, raw = read_inputs(path, inputs, resize=True)
        except Error:
            return
    assert raw.shape == (len(names), *inputs.shape)
    assert bool(raw.isfinite().all())
