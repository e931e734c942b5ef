"""The palette can be told apart by people who see fewer colours, and read on its grounds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sevensteps.render.palette import palette

# linear RGB as seen without one kind of cones; source: Machado, Oliveira & Fernandes, "A
# physiologically-based model for simulation of color vision deficiency" (2009), severity 1
SEEN = {
    "by everybody": np.eye(3),
    "without red cones": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "without green cones": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "without blue cones": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# linear RGB to the cone responses of OKLab, and those to its coordinates; source: Ottosson (2020)
CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
NOTICEABLE = 0.02  # a difference in OKLab that is just seen, side by side


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    return LAB @ np.cbrt(CONES @ rgb.clip(0, 1))


def contrast(one: str, other: str) -> float:
    """The contrast of WCAG 2, from 1 to 21."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted((float(weights @ linear(one)), float(weights @ linear(other))))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_curves_and_meanings_can_be_told_apart(mode: str, seen: str) -> None:
    colours = palette(mode)
    pairs = [*itertools.combinations(colours.series, 2)]
    pairs += [(colours["observed"], colours["expected"]), (colours["observed"], colours["good"])]
    for one, other in pairs:
        first, second = (oklab(SEEN[seen] @ linear(colour)) for colour in (one, other))
        assert np.linalg.norm(first - second) > 3 * NOTICEABLE, (one, other)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_words_and_curves_stand_out_from_the_ground(mode: str) -> None:
    colours = palette(mode)
    for name in ("ink", "ink-soft", "observed", "expected", "good"):
        assert contrast(colours[name], colours["raised"]) >= 4.5, name
    for colour in colours.series:
        assert contrast(colour, colours["raised"]) >= 3, colour


def test_every_token_has_both_modes() -> None:
    light, dark = palette("light"), palette("dark")
    assert light.tokens.keys() == dark.tokens.keys()
    assert len(light.series) == len(dark.series) >= 6
    assert light["ink"] != dark["ink"]
    assert "Arial" in light.typefaces
