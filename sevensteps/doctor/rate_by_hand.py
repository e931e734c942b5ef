"""The learning rate of a loop that has no optimizer: what the true updates are of the gradients."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from sevensteps.observe.look import Look

ALIKE = 0.05  # the ratios of all parameters of a step lie so close together
LEAST = 1e-6  # of the weights: a shorter update is half rounding, in numbers of 32 bits
ENOUGH = 3  # ratios; one or two are alike by chance


def rate_by_hand(looks: Iterable[Look]) -> float | None:
    """|Δw| / |g| of the first look, where in each look it is the same for every parameter, as of
    w ← w - lr g; None where it is not, as with momentum or Adam's division.
    """
    steps = [ratios for look in looks if (ratios := _ratios(look))]
    if sum(map(len, steps)) < ENOUGH:
        return None
    middles = [statistics.median(ratios) for ratios in steps]
    for ratios, middle in zip(steps, middles, strict=True):
        if any(abs(ratio - middle) > ALIKE * middle for ratio in ratios):
            return None
    return float(f"{middles[0]:.3g}")


def _ratios(look: Look) -> list[float]:
    ratios = []
    for change in look.changes.values():
        if change.update is None or change.gradient is None:
            continue
        weight, gradient, update = (
            float(lengths.double().norm())
            for lengths in (change.weight, change.gradient, change.update)
        )
        if gradient > 0 and update > LEAST * weight:
            ratios.append(update / gradient)
    return ratios
