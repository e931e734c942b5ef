"""One picture: decoded to the pixel, upright, in 8 bits, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from sevensteps.data.formats import image_file
from sevensteps.data.formats.image_file import (
    decode_image,
    decode_on_white,
    image_to_tensor,
    is_gray,
    open_image,
    read_image_header,
    resize_image,
)
from sevensteps.errors import DataError

GRAY = numpy.arange(12, dtype=numpy.uint8).reshape(3, 4) * 20
RGB = numpy.stack([GRAY, 255 - GRAY, GRAY // 2], 2)


@pytest.mark.parametrize(("array", "mode"), [(GRAY, "L"), (RGB, "RGB")])
def test_pixels_come_back_channel_by_channel(
    tmp_path: Path, array: numpy.ndarray, mode: str
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    assert read_image_header(path) == (3, 4, mode, False)
    assert is_gray(mode) == (array.ndim == 2)
    tensor = image_to_tensor(decode_image(path, 1 if array.ndim == 2 else 3))
    assert tensor.dtype is torch.uint8
    numpy.testing.assert_array_equal(
        tensor, array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    )


def test_a_camera_that_was_turned_is_turned_back(tmp_path: Path) -> None:
    path, exif = tmp_path / "a.png", Image.Exif()
    exif[274] = 6  # the right edge of what is stored was the bottom
    Image.fromarray(GRAY).save(path, exif=exif)
    assert read_image_header(path)[:2] == (4, 3)
    numpy.testing.assert_array_equal(
        image_to_tensor(decode_image(path, 1))[0], numpy.rot90(GRAY, -1)
    )


def test_16_bits_are_scaled_to_8(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(GRAY.astype(numpy.uint16) * 257).save(path)
    numpy.testing.assert_array_equal(image_to_tensor(decode_image(path, 1))[0], GRAY)


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGBA", (1, 1), (0, 0, 0, 51)).save(path)
    picture, is_transparent = decode_on_white(path, 3)
    assert (picture.getpixel((0, 0)), is_transparent) == ((204, 204, 204), True)
    Image.new("RGBA", (1, 1), (7, 8, 9, 255)).save(path)
    picture, is_transparent = decode_on_white(path, 3)
    assert (picture.getpixel((0, 0)), is_transparent) == ((7, 8, 9), False)


def test_what_has_no_known_brightness_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.tif"
    Image.new("F", (2, 2)).save(path)
    with pytest.raises(DataError, match="32 bits a pixel"):
        decode_image(path, 3)


def test_files_that_are_no_pictures_or_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, large = tmp_path / "text.png", tmp_path / "large.png"
    text.write_text("no picture")
    Image.new("L", (5, 4)).save(large)
    monkeypatch.setattr(image_file, "MAX_PIXELS", 19)
    for path, reason in ((text, "it is none of PNG, JPEG"), (large, "5 × 4 pixels; at most 19")):
        with pytest.raises(DataError, match=reason), open_image(path):
            pass


def test_a_smaller_picture_has_the_means_of_the_pixels() -> None:
    picture = Image.fromarray(numpy.array([[0, 100, 20, 40], [50, 50, 60, 80]], numpy.uint8))
    assert numpy.asarray(resize_image(picture, 2, 1)).tolist() == [[50, 50]]
    assert resize_image(picture, 8, 4).size == (8, 4)


def test_a_picture_that_is_cut_off_is_said_to_be_so(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.jpg", tmp_path / "part.jpg"
    Image.effect_noise((64, 64), 80).save(whole)
    for count in (300, 900):
        part.write_bytes(whole.read_bytes()[:count])
        with pytest.raises(DataError, match=r"cannot be read as a picture: it is cut off$"):
            decode_image(part, 1)
