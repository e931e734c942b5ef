"""What the loop that takes a step calls a reward, where it is no part of what is reported."""

from __future__ import annotations

import math
import statistics
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from sevensteps.observe.call_content import is_readable
from sevensteps.observe.function_mode import OURS, TORCH

MAX_NUMBERS = 65_536
LEAST_ACTIONS, SAME = 3, 1e-3  # to compare weights with rewards; of the largest, that they differ
MAX_FRAMES = 3  # functions that a step may be taken in
# names of what is the better the more of it there is, as loops write them
NAMES = ("reward", "rewards", "rew", "rewards_batch", "batch_rewards", "returns", "episode_return")


def named_reward() -> float | None:
    """The mean of what the innermost functions outside of PyTorch and of this package have under
    the name of a reward; None where there is none.
    """
    means = (_mean(value) for value in _named_values())
    return next((mean for mean in means if mean is not None), None)


def sign_of_rewards(factors: Sequence[float | None]) -> int | None:
    """Whether the weights of a loss's log-probabilities, one for each action, are what the loop
    calls rewards or returns, times a positive number (1) or a negative one (-1); None where they
    are neither.
    """
    weights = [factor for factor in factors if factor is not None]
    if len(weights) < LEAST_ACTIONS or len(weights) < len(factors):
        return None
    for value in _named_values():
        numbers = _numbers(value)
        # of a long episode only some terms are read
        for own in (numbers[: len(weights)], numbers[-len(weights) :]):
            for ordered in (own, own[::-1]):
                if (sign := _sign_of_ratio(weights, ordered)) is not None:
                    return sign
    return None


def _named_values() -> Iterator[Any]:
    """What the innermost functions outside of PyTorch and of this package call a reward."""
    frame: FrameType | None = sys._getframe(2)
    asked = 0
    while frame is not None and asked < MAX_FRAMES:
        if not frame.f_code.co_filename.startswith((OURS, TORCH)):
            asked += 1
            variables = frame.f_locals
            yield from (variables[name] for name in NAMES if name in variables)
        frame = frame.f_back


def _numbers(value: Any) -> list[float]:
    """The numbers of a tensor or a list; none of anything else."""
    if isinstance(value, Tensor):
        fits = is_readable(value) and value.numel() <= MAX_NUMBERS and not value.is_complex()
        return value.detach().double().flatten().tolist() if fits else []
    several = isinstance(value, list | tuple | deque) and len(value) <= MAX_NUMBERS
    plain = several and all(isinstance(one, int | float) for one in value)
    return [float(one) for one in value] if plain else []


def _sign_of_ratio(weights: list[float], rewards: list[float]) -> int | None:
    """The sign of the one number that all weights are, divided by their rewards."""
    if len(weights) != len(rewards):
        return None
    total = math.fsum(reward * reward for reward in rewards)
    scale = math.fsum(w * r for w, r in zip(weights, rewards, strict=True)) / max(total, 1e-30)
    largest = max(map(abs, weights))
    apart = max(abs(w - scale * r) for w, r in zip(weights, rewards, strict=True))
    known = len(set(rewards)) > 1 and apart < SAME * largest
    return (1 if scale > 0 else -1) if known and scale else None


def _mean(value: Any) -> float | None:
    if isinstance(value, Tensor):
        if not is_readable(value) or not 0 < value.numel() <= MAX_NUMBERS or value.is_complex():
            return None
        with torch.no_grad():
            return float(value.detach().double().mean())
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    several = isinstance(value, list | tuple | deque) and 0 < len(value) <= MAX_NUMBERS
    numbers = several and all(isinstance(one, int | float) for one in value)
    return statistics.fmean(value) if numbers else None
