"""How much longer the steps of a training could be: what the curvature, or the way still to go,
allows.
"""

from __future__ import annotations

import math
from functools import cached_property

from sevensteps.doctor.case import Case
from sevensteps.doctor.measures import ADAPTIVE, optimizer_name, path_of_steps

ROOM = 10.0  # times larger rates would still be stable
# lengths of the weights that a healthy training walks: about the median of those of
# benchmarks/doctor
WAY = 6.0


class Room:
    """How much larger than `rate` the rate of a training could be."""

    def __init__(self, case: Case, rate: float) -> None:
        self.case, self.rate = case, rate

    @cached_property
    def edge(self) -> float:
        """The largest stable rate, 2/λ_max; nan where the curvature does not say so, as of
        optimizers whose steps do not grow with the gradient.
        """
        if optimizer_name(self.case) in ADAPTIVE or _has_corners(self.case):
            return math.nan
        curvature = self.case.curvature
        return 2 / curvature if curvature is not None and curvature > 0 else math.nan

    @property
    def times(self) -> float:
        """How many times larger rates would still be stable."""
        return self.edge / self.rate

    @property
    def is_known(self) -> bool:
        """Whether the curvature says it."""
        return not math.isnan(self.edge)

    @property
    def is_large(self) -> bool:
        """Whether the curvature would allow a rate many times as large."""
        return self.times > ROOM

    @property
    def time_constants(self) -> float:
        """How often, in all steps together, descent could have gone down by 1/e along the steepest
        direction: steps · rate · λ_max / (1 - momentum).
        """
        groups = self.case.facts.groups
        momentum = float(groups[0].get("momentum") or 0.0) if groups else 0.0
        return 2 * self.case.steps / self.times / max(1 - momentum, 1e-3)

    def longer(self, otherwise: float = 10.0) -> float:
        """A rate that gets further in as many steps: half-way, in orders of magnitude, between what
        is stable now and what leads as far as a healthy training walks, for a flat start may become
        steep. Without a curvature `otherwise` times the present one.
        """
        walk = max(WAY / path_of_steps(self.case), 1.0)
        half = self.times / 2
        factor = min(half, math.sqrt(half * walk)) if self.is_large else otherwise
        return self.rate * min(max(factor, 3.0), 10_000.0)


def room_for_rate(case: Case) -> Room | None:
    """How much larger the rate could be; None where it is not known what the rate is, or where the
    loss follows a warm-up.
    """
    rate = _usual_rate(case)
    return Room(case, rate) if rate else None


def loss_is_straight(case: Case) -> bool:
    """Whether the loss of the second half fell at no less than a third of the pace of the first: no
    sign of a bend.
    """
    means = [value for _, value in case.smoothed_losses]
    if len(means) < 2:
        return False
    half = len(means) // 2
    before, after = means[0] - means[half], means[half] - means[-1]
    return before > 0 and after > before / 3


def _usual_rate(case: Case) -> float | None:
    """The learning rate, after a warm-up; None where that took more than half of the steps."""
    rates = case.observation.rates
    early = [rate for step, rate in rates if 2 * step <= case.steps]
    usual = max([case.lr or 0.0, *early[-1:]])
    return None if any(rate > 1.1 * usual for _, rate in rates[len(early) :]) else usual


def _has_corners(case: Case) -> bool:
    """Whether the loss is straight but for its corners, so that its curvature is next to nothing
    and tells of no stable rate.
    """
    known = case.identified_loss
    return known is not None and known.loss.function in ("l1_loss", "multi_margin_loss")
