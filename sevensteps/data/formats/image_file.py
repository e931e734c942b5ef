"""Opens and decodes one picture file.

Whatever the bytes say, what comes out has 8 bits a channel, gray or RGB, or is an error of one
line.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy
import torch
from torch import Tensor

from sevensteps.data.formats.library_errors import short_reason
from sevensteps.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
# whatever the name says, Pillow tries no other; EPS would start Ghostscript
FORMATS = (
    "PNG",
    "JPEG",
    "BMP",
    "GIF",
    "WEBP",
    "TIFF",
)
MAX_PIXELS = 50_000_000  # of one picture; more is refused before it is unpacked


@contextmanager
def open_image(path: Path | str, file: BinaryIO | None = None) -> Iterator[Image]:
    """The picture at `path`, or in `file`, which messages call `path`; not decoded yet.

    Raises `DataError`, also for what goes wrong while it is used inside.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # of odd metadata, and of many pixels, which are counted here
            warnings.simplefilter("ignore")
            with Image.open(path if file is None else file, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(
                        f"{path}: {image.width} × {image.height} pixels; at most {MAX_PIXELS:,} "
                        "are read"
                    )
                yield image
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
        reason = short_reason(failure)
        if "truncated" in reason.lower():
            reason = "it is cut off"
        raise DataError(f"{path}: cannot be read as a picture: {reason}") from None


class ImageHeader(NamedTuple):
    """Height and width of a picture, upright, its mode as Pillow names it, and whether it has to be
    turned to stand upright.
    """

    height: int
    width: int
    mode: str
    is_turned: bool


def read_image_header(path: Path | str, file: BinaryIO | None = None) -> ImageHeader:
    """What the header of a picture says; nothing is decoded. Raises `DataError`."""
    with open_image(path, file) as image:
        turn = image.getexif().get(274, 1)  # how the camera was held
        sides = (image.width, image.height) if turn in (5, 6, 7, 8) else (image.height, image.width)
        return ImageHeader(*sides, image.mode, turn in range(2, 9))


def is_gray(mode: str) -> bool:
    """Whether a picture of this mode of Pillow's has no colours."""
    return mode in ("1", "L", "LA", "La") or mode.startswith("I")


def decode_image(path: Path | str, channels: int, file: BinaryIO | None = None) -> Image:
    """The picture at `path`, or in `file`, upright, with 1 (gray) or 3 (RGB) channels of 8 bits.
    What is transparent shows white. Raises `DataError`.
    """
    return decode_on_white(path, channels, file)[0]


def decode_on_white(
    path: Path | str, channels: int, file: BinaryIO | None = None
) -> tuple[Image, bool]:
    """The same as `decode_image`, and whether any of its pixels is transparent."""
    from PIL import Image, ImageOps

    with open_image(path, file) as image:
        picture = _to_8_bits(path, ImageOps.exif_transpose(image))
        is_transparent = False
        if "A" in picture.getbands() or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            is_transparent = picture.getchannel("A").getextrema() != (255, 255)
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        return picture.convert("L" if channels == 1 else "RGB"), is_transparent


def resize_image(picture: Image, width: int, height: int) -> Image:
    """The picture in another size: the mean of what falls on a pixel where it shrinks, between its
    neighbours where it grows.
    """
    from PIL import Image

    return picture.resize(
        (width, height),
        Image.Resampling.BOX if picture.width >= width else Image.Resampling.BILINEAR,
    )


def image_to_tensor(picture: Image) -> Tensor:
    """A picture that was decoded as uint8 [C, H, W]."""
    pixels = torch.from_numpy(numpy.array(picture))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def _to_8_bits(path: Path | str, picture: Image) -> Image:
    """The picture with 8 bits a channel."""
    from PIL import Image

    # 16 bits, as Pillow has them, new and old
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
        # its own conversion cuts off at 255
        return Image.fromarray(numpy.rint(numpy.asarray(picture) / 257).astype(numpy.uint8))
    if picture.mode in ("I", "F"):
        raise DataError(
            f"{path}: has 32 bits a pixel, whose range is not known; save it with 8 or 16 bits"
        )
    return picture
