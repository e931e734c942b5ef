"""Picture files, opened with care: whatever the bytes say, what comes out is 8 bits a channel, gray
or RGB, or an error of one line.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy

from sevensteps.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FORMATS = (
    "PNG",
    "JPEG",
    "BMP",
    "GIF",
    "WEBP",
    "TIFF",
)  # whatever the name says, Pillow tries no other; EPS would start Ghostscript
MAX_PIXELS = 50_000_000  # of one picture; more is refused before it is unpacked


@contextmanager
def opened(path: Path | str, file: BinaryIO | None = None) -> Iterator[Image]:
    """The picture at `path`, or in `file`, which messages call `path`; not decoded yet.

    Raises `DataError`, also for what goes wrong while it is used inside.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of odd metadata, and of many pixels, which are counted here
            with Image.open(path if file is None else file, formats=FORMATS) as found:
                if found.width * found.height > MAX_PIXELS:
                    raise DataError(
                        f"{path}: {found.width} × {found.height} pixels; at most {MAX_PIXELS:,} "
                        "are read"
                    )
                yield found
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(
            f"{path}: cannot be read as a picture: Image size far exceeds the {MAX_PIXELS:,} "
            "pixels that are read; make it "
            "smaller"
        ) from None
    except UnidentifiedImageError:
        raise DataError(
            f"{path}: cannot be read as a picture: it is none of {', '.join(FORMATS)}"
        ) from None
    except Exception as failure:  # Pillow's decoders let out whatever error the bytes lead them to
        raise DataError(f"{path}: cannot be read as a picture: {why(failure)}") from None


def decoded(path: Path | str, channels: int, file: BinaryIO | None = None) -> Image:
    """The picture at `path`, or in `file`, upright, with 1 (gray) or 3 (RGB) channels of 8 bits.
    Raises `DataError`.
    """
    from PIL import ImageOps

    with opened(path, file) as found:
        return _opaque(path, ImageOps.exif_transpose(found)).convert(
            "L" if channels == 1 else "RGB"
        )


def resized(picture: Image, width: int, height: int) -> Image:
    """The picture in another size: the mean of what falls on a pixel where it shrinks, between its
    neighbours where it grows.
    """
    from PIL import Image

    return picture.resize(
        (width, height),
        Image.Resampling.BOX if picture.width >= width else Image.Resampling.BILINEAR,
    )


def _opaque(path: Path | str, picture: Image) -> Image:
    """The picture with 8 bits a channel; one that shows what is behind it has no brightness of its
    own and is refused.
    """
    from PIL import Image

    if picture.mode.startswith("I;16") or (
        picture.mode == "I" and picture.format == "PNG"
    ):  # 16 bits, as Pillow has them, new and old
        return Image.fromarray(
            numpy.rint(numpy.asarray(picture) / 257).astype(numpy.uint8)
        )  # its own conversion cuts off at 255
    if picture.mode in ("I", "F"):
        raise DataError(
            f"{path}: has 32 bits a pixel, whose range is not known; save it with 8 or 16 bits"
        )
    if ("A" in picture.getbands() or "transparency" in picture.info) and picture.convert(
        "RGBA"
    ).getchannel("A").getextrema() != (255, 255):
        raise DataError(f"{path}: has transparent pixels; put it on a background first")
    return picture


def why(failure: Exception) -> str:
    """What an error of somebody else says, in short."""
    if "allow_pickle" in str(failure):
        return "it holds Python objects, which could run code; save numbers or texts"
    return textwrap.shorten(str(failure), 160, placeholder=" …") or type(failure).__name__
