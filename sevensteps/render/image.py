"""A sample as text: an image in block characters, a row of a table as a list of its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from sevensteps.render.blocks import ASCII_HALF_BLOCKS, HALF_BLOCKS, SHADES
from sevensteps.render.text import raw_text

if TYPE_CHECKING:
    from rich.text import Text

COLUMNS = 28  # of an image in shades, at most
PIXELS = 14  # of a thumbnail, each way at most: five of them fit side by side in 80 columns
INK = 0.4  # the brightness above which a pixel of a thumbnail is drawn


def shaded_image(image: Tensor, highest: float | None = None) -> list[str]:
    """An image [H, W] or [C, H, W] as lines of text, black to white from 0 to `highest` (by
    default from its lowest to its highest number).

    A character is twice as high as it is wide: a pixel of a small image takes two characters side
    by side, in a larger image two pixels above each other take one.

    >>> import torch
    >>> shaded_image(torch.tensor([[0.0, 1.0], [0.5, 0.0]]), 1)
    ['  ██', '▒▒  ']
    """
    gray = image.double().mean(0) if image.ndim == 3 else image.double()
    low, high = (0.0, highest) if highest else (float(gray.min()), float(gray.max()))
    gray = ((gray - low) / ((high - low) or 1.0)).clamp(0, 1)
    height, width = gray.shape
    if 2 * width <= COLUMNS:
        gray = gray.repeat_interleave(2, 1)
    else:
        columns = min(width, COLUMNS)
        gray = F.adaptive_avg_pool2d(
            gray[None], (max(1, round(height * columns / width / 2)), columns)
        )[0]
    return [
        "".join(SHADES[round(value * (len(SHADES) - 1))] for value in row) for row in gray.tolist()
    ]


def feature_lines(
    names: Sequence[str],
    raw: Sequence[float],
    scaled: Sequence[float],
    written: Mapping[int, str] | None = None,
    most: int = 12,
) -> list[str]:
    """A row of a table with a line for each feature: its raw value, and the scaled value that the
    network is fed, where that is another number. `written` has what stands for the raw value in
    some places, as a date does.
    """
    width = max(len(name) for name in names)
    texts = [(written or {}).get(at) or raw_text(value) for at, value in enumerate(raw)]
    room = max(8, *map(len, texts[:most]))
    same = all(abs(a - b) <= 1e-6 * max(1.0, abs(a)) for a, b in zip(raw, scaled, strict=True))
    lines = [
        f"{name:<{width}}  {text:>{room}}" + ("" if same else f"  fed as {fed:>7.3g}")
        for name, text, fed in list(zip(names, texts, scaled, strict=True))[:most]
    ]
    return [*lines, f"and {len(names) - most} more"] if len(names) > most else lines


def thumbnail(image: Tensor) -> Tensor:
    """A `[C, H, W]` image as gray `[h, w]` from 0 to 1, at most `PIXELS` each way, with h even."""
    gray = image.mean(0, keepdim=True)
    gray = F.adaptive_avg_pool2d(gray, (min(gray.shape[1], PIXELS), min(gray.shape[2], PIXELS)))[0]
    gray = (gray - gray.min()) / (gray.max() - gray.min()).clamp_min(1e-12)
    return F.pad(gray, (0, 0, 0, len(gray) % 2))


def ink_thumbnail(image: Tensor, *, ascii_only: bool = False) -> str:
    """The thumbnail of an image as lines of half blocks, two pixels high each: ink where it is
    bright.
    """
    ink = (thumbnail(image) > INK).tolist()
    characters = ASCII_HALF_BLOCKS if ascii_only else HALF_BLOCKS
    return "\n".join(
        "".join(characters[2 * upper + lower] for upper, lower in zip(*pair, strict=True))
        for pair in zip(ink[::2], ink[1::2], strict=True)
    )


def gray_thumbnail(image: Tensor) -> Text:
    """The thumbnail of an image in gray, two pixels to a character: the upper one in the colour of
    the half block, the lower one in that behind it.
    """
    from rich.text import Text

    levels, text = (255 * thumbnail(image)).round().int().tolist(), Text()
    for upper, lower in zip(levels[::2], levels[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", f"rgb({above},{above},{above}) on rgb({below},{below},{below})")
        text.append("\n")
    return text[:-1]
