"""Whether the words of two parts of the data are numbered by two tables: the same words, as often,
under other numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.doctor.case import Case

PLACES = 64  # of a sequence, of more no place is told from another
WORDS = 5000  # numbers, of more a table says little
LEAST = 300  # words of a part
APART = 0.15  # total variation of the frequencies of two parts, beyond what chance has
ALIKE = 0.4  # of it, that is left where the frequencies are sorted: the words are the same


@dataclass(frozen=True)
class Recoded:
    """Total variation of the frequencies of words, from 0 to 1, at the place where the parts differ
    most: of their numbers, what chance has of it, and of the frequencies in order of size.
    """

    apart: float
    chance: float
    sorted: float


def recoded_words(case: Case) -> Recoded | None:
    """How far the parts' words lie apart, if they are the same under other numbers; else None."""
    if case.train is None or case.valid is None:
        return None
    train, valid = case.train[0], case.valid[0]
    if not all(isinstance(x, Tensor) and _are_words(x) for x in (train, valid)):
        return None
    low = min(int(train.min()), int(valid.min()))
    size = max(int(train.max()), int(valid.max())) - low + 1
    if low < 0 or not 2 <= size <= WORDS or train.shape[1:] != valid.shape[1:]:
        return None
    places = train[0].numel()
    if places > PLACES:
        places = 1  # all alike
    shares = [_shares(x, low, size, places) for x in (train, valid, train[::2], train[1::2])]
    apart, within = _distance(shares[0], shares[1]), _distance(shares[2], shares[3])
    ordered = _distance(*(share.sort(1).values for share in shares[:2]))
    # two halves of N rows differ by chance as √(4 / N), N and M rows as √(1 / N + 1 / M)
    chance = within * math.sqrt((1 + len(train) / len(valid)) / 4)
    beyond = apart - chance
    at = int(beyond.argmax())
    if beyond[at] < APART or ordered[at] - chance[at] > ALIKE * beyond[at]:
        return None
    return Recoded(float(apart[at]), float(chance[at]), float(ordered[at]))


def _are_words(x: Tensor) -> bool:
    whole = not x.is_floating_point() and not x.is_complex() and x.dtype is not torch.bool
    return whole and x.ndim >= 2 and x.numel() >= LEAST


def _shares(x: Tensor, low: int, size: int, places: int) -> Tensor:
    """How often each number comes at each place. [places, size]"""
    numbers = (x.reshape(-1, places) - low).long().cpu() + size * torch.arange(places)
    counts = torch.bincount(numbers.reshape(-1), minlength=size * places).reshape(places, size)
    return counts.double() / counts.sum(1, keepdim=True)


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """The total variation at each place. [places]"""
    return (one - other).abs().sum(1) / 2
