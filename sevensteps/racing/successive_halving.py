"""Successive halving: the worse half of the recipes leaves, after ever more epochs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sevensteps.errors import ArgumentError
from sevensteps.metrics import LOWER_IS_BETTER, primary, score
from sevensteps.racing.member import Member
from sevensteps.racing.run_race import RaceState
from sevensteps.training.recipe import Recipe


class SuccessiveHalving:
    """Called after each round of epochs; ends the members of the worse half of the `entries`.

    An entry is the members of one recipe, which differ in nothing but their seed. Of n entries that
    may take E epochs, half leave after E/n epochs (n rounded up to a power of two), half of the
    rest after 2E/n, …, so that each stage costs about the same; the last one trains to its own
    stop. Entries are compared by the mean of their members' validation metric. Source: Jamieson,
    Talwalkar 2016, Non-stochastic Best Arm Identification and Hyperparameter Optimization,
    section 3.
    """

    def __init__(self, entries: Sequence[Sequence[Member]]) -> None:
        self.entries = [list(entry) for entry in entries]
        trainings = [member.training for entry in entries for member in entry]
        require_epoch_limit([training.recipe for training in trainings])
        limits = [-(-(training.total or 0) // training.per_epoch) for training in trainings]
        stages = math.ceil(math.log2(len(entries))) if len(entries) > 1 else 0
        longest = max(limits, default=0)
        self.epochs = [max(1, round(longest / 2 ** (stages - stage))) for stage in range(stages)]

    def __call__(self, race: RaceState, epoch: int) -> None:
        for _ in range(self.epochs.count(epoch)):
            self._halve(race, epoch)

    def _halve(self, race: RaceState, epoch: int) -> None:
        ranked = sorted(self.entries, key=_mean_score, reverse=True)
        half = -(-len(ranked) // 2)
        self.entries, beaten = ranked[:half], ranked[half:]
        metric = primary(ranked[0][0].training.progress.history[-1]["valid"])
        sign = -1 if LOWER_IS_BETTER[metric] else 1
        threshold, leaving = sign * _mean_score(self.entries[-1])[0], list[Member]()
        for entry in beaten:
            reason = (
                f"beaten after {epoch} {'epoch' if epoch == 1 else 'epochs'}: {metric} "
                f"{sign * _mean_score(entry)[0]:.4g}, and {len(self.entries)} others have "
                f"{threshold:.4g} or better"
            )
            for member in entry:
                if not member.ended:
                    member.ended = ("halving", reason)
                    leaving.append(member)
        for lockstep, _ in race.locksteps:
            lockstep.remove([member for member in leaving if member in lockstep.active])


def require_epoch_limit(recipes: Iterable[Recipe]) -> None:
    """Raise `ArgumentError` for resolved recipes whose stop does not limit the epochs."""
    if any(recipe.stop.limit(1) is None for recipe in recipes):
        raise ArgumentError(
            "halving needs to know how many epochs there can be; join the stop with epochs(…), as "
            "in epochs(20) | patience(3)"
        )


def _mean_score(entry: Sequence[Member]) -> tuple[float, float]:
    """The mean of the last scores of an entry's members; nan counts as the worst there is."""
    scores = [score(member.training.progress.history[-1]["valid"]) for member in entry]
    first, second = (sum(parts) / len(parts) for parts in zip(*scores, strict=True))
    return first, second
