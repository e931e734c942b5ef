"""Data of one's own on disk: folders of pictures and archives of arrays, read to the pixel, refused
to the word.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import sevensteps as ss
from sevensteps.data.formats import image_folder
from sevensteps.errors import DataError, Error


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture(
    file: str | Path, value: Any = 0, size: tuple[int, int] = (6, 4), mode: str = "L"
) -> Path:
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


@pytest.fixture
def pets(here: Path) -> Path:
    """Ten gray pictures of each of two classes, dark cats and light dogs."""
    for name, light in (("cat", 10), ("dog", 200)):
        for index in range(10):
            picture(here / "pets" / name / f"{index}.png", light + index)
    return here / "pets"


# -- pictures --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pets")
def test_a_folder_is_read_to_the_pixel() -> None:
    data = ss.data.load("pets")
    assert (data.source, data.kind, data.task.classes) == (
        'image_folder("pets")',
        "image",
        ("cat", "dog"),
    )
    assert (len(data.train), len(data.valid)) == (16, 4)
    assert tuple(data.train.x.shape[1:]) == (1, 4, 6)
    assert data.about == "20 pictures in 2 classes, 4 x 6 pixels"
    for part in (data.train, data.valid):
        raw = (part.x * 255).round()
        assert torch.equal(raw, raw[:, :, :1, :1].expand_as(raw))
        for value, label in zip(raw[:, 0, 0, 0].tolist(), part.y[:, 0].tolist(), strict=True):
            assert 200 * label <= value - 10 * (1 - label) < 200 * label + 10
    assert data.valid.y.mean() == 0.5, "each class alike"
    brightness = torch.cat([data.train.x, data.valid.x])[:, 0, 0, 0]
    assert len(brightness.unique()) == 20, "no picture twice"
    assert torch.equal(
        ss.data.load('image_folder("pets", seed=1)').valid.x, ss.data.load("pets", seed=1).valid.x
    )
    assert not torch.equal(ss.data.load("pets", seed=1).valid.x, data.valid.x)


def test_parts_of_one_s_own_stay_apart() -> None:
    for part, count in (("train", 5), ("val", 2)):
        for name, colour in (("a", (255, 0, 0)), ("b", (0, 0, 255))):
            for index in range(count):
                picture(
                    f"set/{part}/{name}/{index}.jpg"
                    if index
                    else f"set/{part}/{name}/deep/{index}.bmp",
                    colour,
                    mode="RGB",
                )
    data = ss.data.load("set/")
    assert (len(data.train), len(data.valid)) == (10, 4)
    assert tuple(data.train.x.shape[1:]) == (3, 4, 6)
    red = data.train.x[data.train.y[:, 0] == 0].mean((0, 2, 3))
    assert red.tolist() == pytest.approx([1, 0, 0], abs=0.02)
    assert tuple(ss.data.load("set", gray=True).train.x.shape[1:]) == (1, 4, 6)


@pytest.mark.parametrize(("size", "shape"), [(3, (1, 3, 3)), ((2, 5), (1, 2, 5)), (8, (1, 8, 8))])
def test_other_sizes_are_brought_to_one(pets: Path, size: Any, shape: tuple[int, ...]) -> None:
    picture(pets / "cat" / "large.png", 17, (60, 40))
    data = ss.data.load("pets", size=size)
    assert tuple(data.train.x.shape[1:]) == shape
    assert len(data.train) + len(data.valid) == 21
    assert 17 in (torch.cat([data.train.x, data.valid.x]).flatten(1).mean(1) * 255).round().tolist()


def test_a_picture_on_its_side_is_turned(pets: Path) -> None:
    turned = Image.new("L", (4, 6), 99)
    exif = turned.getexif()
    exif[274] = 6
    turned.save(pets / "cat" / "turned.jpg", exif=exif)
    assert len(ss.data.load("pets").train) == 17


def test_a_folder_called_like_data_from_python_is_not_taken_for_them(pets: Path) -> None:
    x = torch.linspace(-1, 1, 100)[:, None]
    ss.train(
        ss.data.from_arrays(x, (x[:, 0] > 0).long(), name="pets"),
        predict="linear()",
        stop="epochs(1)",
        out="run",
    )
    with pytest.raises(Error, match="came from Python; give them again"):
        ss.resume("run", stop="epochs(2)")


def test_what_is_no_picture_is_left_out_and_counted(pets: Path) -> None:
    (pets / "cat" / "notes.txt").write_text("x")
    (pets / "cat" / ".hidden").write_text("x")
    (pets / "README.md").write_text("x")
    (pets / "cat" / "Thumbs.db").write_text("x")
    (pets / "cat" / ".thumbnails").mkdir()
    picture(pets / "cat" / ".thumbnails" / "0.png")
    (pets / "empty").mkdir()
    data = ss.data.load("pets")
    assert data.about == "20 pictures in 2 classes, 4 x 6 pixels"
    assert data.notes == (
        "left out 1 file that is no picture",
        "left out 1 folder without a picture: empty",
    )


@pytest.mark.usefixtures("pets")
def test_it_is_trained_on_stored_and_predicts(capfd: pytest.CaptureFixture[str]) -> None:
    run = ss.train("pets", predict="mlp(4)", step="adam(lr=0.05)", stop="epochs(40)", out="run")
    assert run.metrics["valid"]["accuracy"] == 1.0
    assert run.recipe.source == 'image_folder("pets")'
    again = ss.train(ss.Recipe.from_toml(Path("run/recipe.toml")), out=False)
    assert again.metrics == run.metrics
    assert ss.resume("run", stop="epochs(41)").summary["epochs"] == 41
    from sevensteps.data.prediction_inputs import read_inputs

    _, raw = read_inputs(Path("pets/dog/3.png"), ss.load("run").inputs)
    assert ss.load("run").predict(raw).answers == ["dog"]


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:45])


def bomb(path: Path) -> None:
    """A PNG of a few bytes that says it has 100,000 × 100,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda pets: [damaged(path) for path in pets.rglob("*.png")],
            r"^pets/.*png: cannot be read as a picture, and neither can the others: ",
        ),
        (
            lambda pets: [path.unlink() for path in (pets / "dog").iterdir()],
            r"^pets: holds folders of pictures for each class, only cat was found; give at least",
        ),
        (
            lambda pets: [damaged(path) for path in (pets / "dog").iterdir()],
            r"^pets: all pictures that can be read are cat; give some of at least two classes$",
        ),
        (
            lambda pets: [
                path.rename(pets / f"{path.parent.name}.{path.name}")
                for path in pets.rglob("*.png")
            ],
            r"^pets: holds 20 pictures, but no folder of pictures for each class; give a table "
            r"with the name and the class of each: labels \(--labels FILE.csv\)$",
        ),
        (
            lambda pets: [path.rename(pets.parent / path.name) for path in (pets / "dog",)],
            r"^pets: holds folders of pictures for each class, only cat was found; give at least "
            r"two$",
        ),
    ],
    ids=["cut", "empty class", "cut class", "flat", "one class"],
)
def test_bad_folders_are_one_line(pets: Path, spoil: Any, message: str) -> None:
    spoil(pets)
    with pytest.raises(Error, match=message) as caught:
        ss.data.load("pets")
    assert "\n" not in str(caught.value)


def test_a_folder_with_every_mishap_is_trained_on(pets: Path) -> None:
    damaged(pets / "dog" / "4.png")
    (pets / "dog" / "5.png").write_bytes(b"")
    bomb(pets / "dog" / "6.png")
    (pets / "dog" / "7.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n")
    picture(pets / "dog" / "float.tif", 0.5, mode="F")
    picture(pets / "cat" / "large.jpg", (255, 0, 0), (600, 400), mode="RGB")
    picture(pets / "cat" / "print.jpg", (0, 0, 0, 0), (60, 40), mode="CMYK")
    picture(pets / "cat" / "indexed.gif", 3, mode="P")
    picture(pets / "cat" / "deep.png", 40_000, mode="I;16")
    picture(pets / "cat" / "clear.png", (0, 0, 0, 0), mode="RGBA")
    turned, exif = Image.new("L", (4, 6), 99), Image.Exif()
    exif[274] = 6
    turned.save(pets / "cat" / "turned.jpg", exif=exif)
    data = ss.data.load("pets")
    assert tuple(data.train.x.shape[1:]) == (3, 4, 6)
    assert len(data.train) + len(data.valid) == 20 - 4 + 6
    size, turns, modes, white, unreadable = data.notes
    assert size == (
        "brought all pictures, of 3 sizes (4 x 6 to 400 x 600 pixels), to 4 x 6; size=… takes "
        "another"
    )
    assert turns == "turned 1 picture upright"
    assert modes == "read as RGB of 8 bits: 1 CMYK, 1 of 16 bits, 1 with a palette"
    assert white == "put 1 transparent picture on white"
    assert unreadable.startswith("left out 5 files that cannot be read: dog/4.png (")
    for name in [
        "dog/5.png (",
        "dog/6.png (Image size far",
        "dog/float.tif (has 32 bits a pixel, whose range is not known)",
    ]:
        assert name in unreadable
    pixels = torch.cat([data.train.x, data.valid.x])
    assert (pixels == 1).all((1, 2, 3)).sum() == 2, "what is transparent, and no ink, are white"


def test_pictures_of_several_sizes_are_brought_to_the_middle_one(here: Path) -> None:
    for index, side in enumerate((30, 100, 200, 300)):
        picture(f"p/{index % 2}/{index}.png", size=(2 * side, side))
    assert tuple(ss.data.load("p/").train.x.shape[1:]) == (1, 32, 64)


def test_an_archive_s_folder_in_a_folder_is_entered(pets: Path, here: Path) -> None:
    (here / "outer").mkdir()
    pets.rename(here / "outer" / "pets")
    data = ss.data.load("outer")
    assert data.notes == ("took the pictures in pets",)
    assert data.task.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'image_folder("gone")',
            r"^gone: there is no such folder; give one that holds a folder of pictures for each "
            r"class$",
        ),
        (
            "gone/",
            r"^data: 'gone/' is no folder of pictures, and no .csv, .xlsx, .parquet, .jsonl, "
            r".npz, .npy or IDX file; ",
        ),
        ('image_folder("x", size=0)', r"size must be at least 1, not 0"),
        ('image_folder("x", size=(1, 2, 3))', r"size must be one number, or \(height, width\)"),
        ('image_folder("x", valid=1)', r"valid must be below 1"),
        ("image_folder()", r"image_folder"),
        ("gone.npz", r"^gone.npz: there is no such file; give a .npz that numpy.savez wrote$"),
    ],
)
def test_arguments_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(Error, match=message):
        ss.data.load(text)


def test_pixels_that_do_not_fit_into_memory_are_refused(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_folder, "MAX_BYTES", 20 * 24 - 1)
    with pytest.raises(
        DataError,
        match=r"^pets: 20 pictures of 1 × 4 × 6 take more than 0 GB; give a smaller size=…$",
    ):
        ss.data.load(str(pets.name))
