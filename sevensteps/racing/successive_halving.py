"""Successive halving: the worse half of what is left leaves after ever longer shares of the epochs,
and frees its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sevensteps.errors import ArgumentError
from sevensteps.metrics import LOWER_IS_BETTER, primary, score
from sevensteps.racing.lockstep_loop import Member
from sevensteps.racing.run import RaceState
from sevensteps.training.recipe import Recipe


class SuccessiveHalving:
    """Called after each round of epochs. `entries` are the members by recipe: those that differ in nothing but their seed.

    Of n entries that may take E epochs, half go after E/n epochs (rounded up to a power of two),
    half of the rest after 2E/n, …, so that each stage costs about the same; the last one goes on to
    its own stop. Entries are judged by the mean of their members' validation metric. Source:
    Jamieson, Talwalkar 2016, Non-stochastic Best Arm Identification and Hyperparameter
    Optimization, section 3."""

    def __init__(self, entries: Sequence[Sequence[Member]]) -> None:
        self.entries = [list(entry) for entry in entries]
        trainings = [member.training for entry in entries for member in entry]
        require_epoch_limit([training.recipe for training in trainings])
        known = [-(-(training.total or 0) // training.per_epoch) for training in trainings]
        stages = math.ceil(math.log2(len(entries))) if len(entries) > 1 else 0
        longest = max(known, default=0)
        self.epochs = [max(1, round(longest / 2 ** (stages - stage))) for stage in range(stages)]

    def __call__(self, racing: RaceState, epoch: int) -> None:
        for _ in range(self.epochs.count(epoch)):
            self._halve(racing, epoch)

    def _halve(self, racing: RaceState, epoch: int) -> None:
        order = sorted(self.entries, key=_mean_score, reverse=True)
        self.entries, beaten = order[: -(-len(order) // 2)], order[-(-len(order) // 2) :]
        name = primary(order[0][0].training.progress.history[-1]["valid"])
        least = _mean_score(self.entries[-1])[0]
        over = [member for entry in beaten for member in entry if not member.ended]
        for member in over:
            found = _mean_score(next(entry for entry in beaten if member in entry))[0]
            sign = -1 if LOWER_IS_BETTER[name] else 1
            member.ended = (
                "halving",
                f"beaten after {epoch} {'epoch' if epoch == 1 else 'epochs'}: {name} "
                f"{sign * found:.4g}, and "
                f"{len(self.entries)} others have {sign * least:.4g} or better",
            )
        for lane, _ in racing.locksteps:
            lane.leave([member for member in over if member in lane.active])


def require_epoch_limit(recipes: Iterable[Recipe]) -> None:
    """Raise `ArgumentError` for settled recipes that do not say how many epochs there can be."""
    if any(recipe.stop.limit(1) is None for recipe in recipes):
        raise ArgumentError(
            "halving needs to know how many epochs there can be; join the stop with epochs(…), as "
            "in "
            "epochs(20) | patience(3)"
        )


def _mean_score(entry: Sequence[Member]) -> tuple[float, float]:
    """The mean of what an entry's members came to last; what is not a number counts as the worst
    there is.
    """
    scores = [score(member.training.progress.history[-1]["valid"]) for member in entry]
    first, second = (sum(parts) / len(parts) for parts in zip(*scores, strict=True))
    return first, second
