"""Whether pictures and the masks that they are trained with lie on each other, as they were fed: by
the place, and the turn, at which each mask is most like its picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.observe.structure import spread_indices

SAMPLES, LEAST = 64, 20  # pairs that are compared; fewer say nothing
SIDE, SMALLEST = 48, 8  # pixels of a side that are compared
MAPS = 4  # channels, and classes
OTHERS = 4  # other samples' masks, by which chance is told
BY_CHANCE = 0.98  # of what is reached with these, below which a mask is not known to be like
MANY, MANY_OF_ONE_TURN = 0.3, 0.15  # share of the masks, which chance does not lay elsewhere
CLEAR = 0.15  # sum of squared correlations at the best place, of masks that are clearly like
IN_PLACE = 0.05  # share of the masks of the data that may lie elsewhere
ELSEWHERE = 0.6  # of what is reached at the best place, that is left at the own one
ONE_TURN = 2.0  # times as much as in any other, of a turn in which all are alike
TURNS = ("as they are", "flipped", "upside down", "turned by 180°")
ACROSS = ("transposed", "turned by 90°", "turned by 270°", "transposed and turned by 180°")


@dataclass(frozen=True)
class Overlay:
    """Of `pairs` of pictures and masks that are alike at some place: the share that is `displaced`,
    and the `turn` in which all are alike, "" where there is no such.
    """

    pairs: int
    displaced: float
    turn: str = ""


def overlay(case: Case) -> Overlay | None:
    """How the pictures and masks that were fed lie on each other: wherever they are most alike,
    where those of the training data that are known lie in place; else at their own place in every
    turn, against the masks of other samples. None where there are none, or too few are alike.
    """
    if case.task != "dense":
        return None
    return case.of_data("overlay", lambda: _overlay(case))  # type: ignore[no-any-return]


def _overlay(case: Case) -> Overlay | None:
    if (fed := _pairs(case.observation.x, case.observation.y)) is None:
        return None
    known = case.sample if case.train is not None else None
    data = None if known is None else _pairs(*known)
    in_place = None if data is None else _anywhere(_alike(*data))
    alike = _alike(*fed)
    if in_place is not None and in_place.displaced <= IN_PLACE:
        return _anywhere(alike)
    return _in_one_turn(alike) or _at_own_place(alike, *fed)


def _pairs(x: Tensor | None, y: Tensor | None) -> tuple[Tensor, Tensor] | None:
    """Maps of pictures and masks of one size; None where there are none, or too few."""
    if x is None or y is None or len(x) != len(y) or len(x) < LEAST:
        return None
    chosen = spread_indices(len(x), SAMPLES)
    pictures, masks = _pictures(x[chosen].cpu()), _masks(y[chosen].cpu())
    if pictures is None or masks is None or pictures.shape[2:] != masks.shape[2:]:
        return None
    varied = masks.flatten(1).abs().amax(1) > 0
    return (pictures[varied], masks[varied]) if int(varied.sum()) >= LEAST else None


def _anywhere(alike: Float[Tensor, "N turns H W"]) -> Overlay | None:
    """By the best of all places and turns."""
    best = alike.flatten(1).amax(1)
    known = best > CLEAR
    if int(known.sum()) < LEAST:
        return None
    away = known & (_near_own_place(alike)[:, 0] < ELSEWHERE * best)
    return Overlay(int(known.sum()), int(away.sum()) / int(known.sum()))


def _in_one_turn(alike: Tensor) -> Overlay | None:
    """By the means of all samples at their own place, in each turn."""
    own = _near_own_place(alike)
    order = own.mean(0).argsort(descending=True)
    first, second = (float(own[:, turn].mean()) for turn in order[:2])
    if order[0] == 0 or first < CLEAR or first < ONE_TURN * second:
        return None
    displaced = (own[:, 0] < ELSEWHERE * own[:, order[0]]).double().mean()
    return Overlay(len(own), float(displaced), (*TURNS, *ACROSS)[int(order[0])])


def _at_own_place(alike: Tensor, pictures: Tensor, masks: Tensor) -> Overlay | None:
    """By the best of all turns where pictures and masks lie on each other, beyond what the masks of
    other samples reach in the same turn.
    """
    own = _near_own_place(alike)
    others = [_near_own_place(_alike(pictures, masks.roll(k, 0))) for k in range(1, OTHERS + 1)]
    by_chance = torch.cat(others).quantile(BY_CHANCE, 0).clamp_min(1e-6)
    best, turns = (own / by_chance).max(1)
    away = (best > 1) & (own[:, 0] < ELSEWHERE * own.gather(1, turns[:, None])[:, 0])
    share = float(away.double().mean())
    of_one = float(turns[away].bincount(minlength=1).max()) / len(own)
    return Overlay(len(own), share) if share >= MANY or of_one >= MANY_OF_ONE_TURN else None


def _pictures(x: Tensor) -> Float[Tensor, "N C H W"] | None:
    if x.ndim != 4 or not x.is_floating_point() or not bool(x.isfinite().all()):
        return None
    if min(x.shape[2:]) < SMALLEST:
        return None
    smooth = F.avg_pool2d(x[:, :MAPS].float(), 3, 1, 1, count_include_pad=False)
    return _unit_maps(smooth)


def _masks(y: Tensor) -> Float[Tensor, "N K H W"] | None:
    """A map of each class but the most common."""
    if y.ndim == 4 and y.shape[1] > 1:
        return _unit_maps(y[:, :MAPS].float())
    y = y[:, 0] if y.ndim == 4 else y
    if y.ndim != 3:
        return None
    classes, counts = y.unique(return_counts=True)
    order = counts.argsort(descending=True)
    rarer = classes[order][1 : MAPS + 1]
    return _unit_maps(torch.stack([(y == c).float() for c in rarer], 1)) if len(rarer) else None


def _unit_maps(maps: Shaped[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
    """Maps of at most `SIDE` pixels, of mean 0 and length 1; those that are flat stay 0."""
    height, width = maps.shape[2:]
    if max(height, width) > SIDE:
        scale = SIDE / max(height, width)
        maps = F.adaptive_avg_pool2d(maps, (int(height * scale), int(width * scale)))
    maps = maps - maps.mean((2, 3), keepdim=True)
    norm = maps.flatten(2).norm(dim=2)[:, :, None, None]
    unit: Tensor = maps / norm.clamp_min(1e-6)
    return unit


def _alike(
    pictures: Float[Tensor, "N C H W"], masks: Float[Tensor, "N K H W"]
) -> Float[Tensor, "N turns H W"]:
    """The sum of the squared correlations of all channels and classes, in every turn of the masks
    and with every shift (by the Fourier transform).
    """
    of_pictures = torch.fft.rfft2(pictures)[:, :, None]
    results = []
    for turned in _turned(masks):
        product = of_pictures * torch.fft.rfft2(turned)[:, None].conj()
        correlation = torch.fft.irfft2(product, s=pictures.shape[2:])
        results.append(correlation.square().sum((1, 2)))
    return torch.stack(results, 1)


def _turned(masks: Tensor) -> list[Tensor]:
    turned = [masks, masks.flip(3), masks.flip(2), masks.flip(2, 3)]
    if masks.shape[2] == masks.shape[3]:
        across = masks.transpose(2, 3)
        turned += [across, across.flip(3), across.flip(2), across.flip(2, 3)]
    return turned


def _near_own_place(alike: Float[Tensor, "N turns H W"]) -> Float[Tensor, "N turns"]:
    """The most with a shift of a pixel at most, as where a convolution trims the edges."""
    near = [alike.roll((a, b), (2, 3))[:, :, 0, 0] for a in (-1, 0, 1) for b in (-1, 0, 1)]
    return torch.stack(near).amax(0)
