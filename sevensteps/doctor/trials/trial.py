"""A trial of one remedy: the results of trainings with and without it, and whether they prove
it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

# changes of the data, which are no step of a recipe, as people read them
DATA_CHANGES = {
    "standardize()": "standardised data",
    "unit()": "data scaled to 0 … 1",
    "finite()": "data without NaN and infinity",
}
PAIRS, MOST = 3, 5  # seeds on which each is trained; MOST where PAIRS leave it open
LEVEL = 0.95  # of the interval
# how much better random changes may do, as a share of the effect; without it a good cure is lost
# to a better one
SLACK = 0.1
# Of scripts: shares of the effect that random changes reach on average where they are nearly as
# good; that the interval of `PAIRS` seeds has to lie above; and that every seed has to show where
# random changes are nearly as good
RIVAL, FIRM, STEADY = 0.5, 0.25, 0.5


@dataclass
class Trial:
    """The trial of one remedy. Each list has one number for each of `seeds`; larger is better.

    The first seed is that of the training itself. `random` are trainings with `random_changes`:
    other changes of the same steps, drawn at random, at most as large. A remedy is proven when the
    interval of its differences from the untouched training lies above 0, when the effect is at
    least `least`, and when random changes do not do better by more than a tenth of the effect. (Any
    initialisation cures zeros, and one of them is best.) `problem` says what it was tried on,
    `note` why it ended before it could be proven.
    """

    condition: str
    change: dict[str, str]
    measure: str
    least: float = 0.0
    seeds: list[int] = field(default_factory=list)
    untouched: list[float] = field(default_factory=list)
    remedied: list[float] = field(default_factory=list)
    random: list[float] = field(default_factory=list)
    random_changes: list[dict[str, str]] = field(default_factory=list)
    problem: str = "whole"
    note: str = ""

    shown = True  # whether the fault was seen on the first seed

    def finite(self, numbers: list[float]) -> list[float]:
        """`numbers`, where one that is not finite (a diverged training) counts as 0.

        Where there are numbers below 0, it counts as twice the smallest. Changes at random have no
        say in that, since the interval of the remedy must not depend on them.
        """
        own = (n for n in (*self.untouched, *self.remedied) if math.isfinite(n))
        worst = min(0.0, 2 * min(own, default=0.0))
        return [n if math.isfinite(n) else worst for n in numbers]

    @property
    def differences(self) -> list[float]:
        """remedied - untouched, for each seed."""
        return [
            a - b
            for a, b in zip(self.finite(self.remedied), self.finite(self.untouched), strict=True)
        ]

    @property
    def difference(self) -> float | None:
        """The mean of `differences`."""
        return mean(self.differences) if self.remedied else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the mean difference lies with a confidence of 95 %: Student's t over the pairs.
        None for fewer than two.
        """
        from scipy.stats import ttest_1samp

        differences = self.differences
        if len(differences) < 2:
            return None
        if not stdev(differences):  # a t statistic would divide by 0
            return mean(differences), mean(differences)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of values equal but for rounding
            low, high = ttest_1samp(differences, 0.0).confidence_interval(LEVEL)
        return float(low), float(high)

    @property
    def proven(self) -> bool:
        """Whether the remedy is shown to help."""
        if len(self.remedied) < PAIRS or self.interval is None or self.difference is None:
            return False
        lead = self.random_effect - self.difference if self.random else 0.0
        return (
            self.interval[0] > 0
            and self.difference >= self.least
            and lead <= max(self.least, SLACK * self.difference)
            and self._holds(self.difference, self.interval[0])
        )

    def _holds(self, difference: float, low: float) -> bool:
        """Whether it may be expected of other seeds, too."""
        return True

    @property
    def failed(self) -> bool:
        """Whether the remedy was tried, and did not help."""
        return bool(self.remedied) and not self.proven and (self.difference or 0) <= self.least

    @property
    def random_effect(self) -> float:
        """By how much changes at random do better than the untouched training, on average."""
        return mean(self.finite(self.random)) - mean(self.finite(self.untouched))

    @property
    def open(self) -> bool:
        """Whether another seed may still prove it."""
        count = len(self.seeds)
        if self.note or count >= MOST:
            return False
        if count == 1 and self.differences[0] <= (self.least if self.shown else -self.least):
            return False  # it does not help on the seed that showed the fault, or does harm
        return count < PAIRS or (
            not self.proven and self.interval is not None and self.interval[1] >= self.least
        )

    def to_dict(self) -> dict[str, Any]:
        """The form of `run.json` and `--json`."""
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
            "proven": self.proven,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Trial:
        """The trial that `to_dict` wrote. Raises `KeyError` or `TypeError` for anything else."""
        numbers = {
            name: [math.nan if n is None else n for n in plain[name]]
            for name in ("untouched", "remedied", "random")
        }
        return cls(**{name: plain[name] for name in cls.__dataclass_fields__} | numbers)

    def __str__(self) -> str:
        return f"{change_notation(self.change)}: {self.verdict}"

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        if not self.remedied:
            return f"not tried, {self.note}"
        count = len(self.remedied)
        before, after = self._mean_text(self.untouched), self._mean_text(self.remedied)
        numbers = f"{self.measure} {before} → {after}"
        if self.interval is not None:
            low, high = self.interval
            numbers += (
                f" ({self.difference:+.3g}, 95 % interval {low:+.3g} to {high:+.3g}, {count} seeds)"
            )
        if self.random:
            numbers += f"; random changes of that size: {self._mean_text(self.random)}"
        if self.problem != "whole":
            numbers += f"; on {self.problem}"
        head = "proven" if self.proven else "did not help" if self.failed else "not proven"
        return f"{head}: {numbers}" + (f"; {self.note}" if self.note else "")

    def _mean_text(self, values: list[float]) -> str:
        """The mean of `values`; an r2 below 0 counts as 0, that of an answer without an input."""
        average = mean(self.finite(values))
        below = self.measure.endswith("r2") and average == 0
        return "0 or below" if below else f"{average:.4g}"


class ScriptTrial(Trial):
    """A trial of a script, of which it is not known on which seed the fault was seen.

    Nothing of a script is held still but what it sets itself, so three seeds are enough only where
    the interval is narrow and random changes do not come near; with five, these may come near if
    every seed shows the effect.
    """

    shown = False

    def _holds(self, difference: float, low: float) -> bool:
        rivalled = bool(self.random) and self.random_effect >= RIVAL * difference
        if len(self.remedied) < MOST:
            return not rivalled and (len(self.remedied) > PAIRS or low >= FIRM * difference)
        return not rivalled or min(self.differences) >= STEADY * difference


def change_notation(change: Mapping[str, str]) -> str:
    """A change as notation, `step = sgd(lr=0.1)`; one of the data in words, as it is no step."""
    return ", ".join(
        DATA_CHANGES.get(value, value) if step == "data" else f"{step} = {value}"
        for step, value in change.items()
    )


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The trial of the proven remedy with the largest effect; None where none is proven."""
    return max(
        (trial for trial in trials if trial.proven),
        key=lambda trial: trial.difference or 0.0,
        default=None,
    )
