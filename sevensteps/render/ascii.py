"""An input as text: an image in shades of blocks, a table as its features with their raw values."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

SHADES = " ░▒▓█"
COLUMNS = 28  # of text, at most


def shades(image: Tensor, highest: float | None = None) -> list[str]:
    """An image [H, W] or [C, H, W] as lines of text, black to white from 0 to `highest` (or from
    its least to its greatest number).

    A letter is twice as high as it is wide: small images take two letters a pixel, larger ones two
    pixels above each other a letter.

    >>> import torch
    >>> shades(torch.tensor([[0.0, 1.0], [0.5, 0.0]]), 1)
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


def features(
    names: Sequence[str], raw: Sequence[float], fed: Sequence[float], most: int = 12
) -> list[str]:
    """A row of a table, a line a feature: its raw value, and what the network is fed where that is
    another number.
    """
    width = max(len(name) for name in names)
    same = all(abs(a - b) <= 1e-6 * max(1.0, abs(a)) for a, b in zip(raw, fed, strict=True))
    lines = [
        f"{name:<{width}}  {value:>8.5g}" + ("" if same else f"  fed as {given:>7.3g}")
        for name, value, given in list(zip(names, raw, fed, strict=True))[:most]
    ]
    return [*lines, f"and {len(names) - most} more"] if len(names) > most else lines


def beside(left: Sequence[str], right: Sequence[str], gap: int = 3) -> list[str]:
    """Two columns of lines as one."""
    width = max(map(len, left), default=0) + gap
    count = max(len(left), len(right))
    rows = zip(
        [*left, *[""] * (count - len(left))], [*right, *[""] * (count - len(right))], strict=True
    )
    return [f"{a:<{width}}{b}".rstrip() for a, b in rows]
