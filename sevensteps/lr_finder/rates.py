"""The answer of a learning-rate search: which rates are good, and which to take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.render.figures import plot
from sevensteps.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = ("too low", "good", "edge", "diverges")
GOOD_RATIO = 1.1  # times the best loss: as good as the best
# of the way from the loss at the start to the best one: how far a good rate may fall short, where
# that is less than 10 % of the loss
GOOD_SHARE = 0.25
NEGLIGIBLE_SHARE = 0.01  # of that way: never matters, however near 0 the best loss is
# times the best loss: up to here the more robust rate is taken; half of GOOD_RATIO, the rest is for
# the noise
ROBUST_RATIO = 1.05
CONFIDENCE_WORDS = ((0.75, "sure"), (0.5, "fairly sure"), (0.0, "not sure"))


@dataclass(frozen=True)
class Rate:
    """A learning rate that was tried, and the losses it led to.

    `first` is its training loss after the steps that all rates took; `train` and `valid` are the
    losses after the `steps` that it took itself. A loss is infinite where the training diverged.
    `label` is "too low", "good", "edge" or "diverges".
    """

    lr: float
    first: float
    steps: int
    train: float
    valid: float
    label: str


@dataclass(frozen=True)
class Sharpness:
    """The curvature of the loss, and the largest learning rate that it allows.

    `eigenvalue` is λ_max of the Hessian at the start, `edge` the largest rate at which gradient
    descent is stable there, `after` that edge once trained at the suggestion; None where it cannot
    be computed. `reading` says in a sentence what they mean.
    """

    eigenvalue: float | None
    edge: float | None
    after: float | None
    reading: str


@dataclass(frozen=True)
class Rates:
    """The answer of a learning-rate search.

    `recipe` has the suggestion in place. `start` is the training loss before the first step,
    `nothing` that of a network that ignores its inputs, if it is lower. `steps` is how many steps
    the longest trainings took, `full` how many the recipe may take (None: its stop does not say).
    `stages` are (number of rates, steps) in the order they were trained, the rates of the last one
    one by one. `seeds` has, for each further seed, the loss at the suggestion over the best of it
    and its neighbours.
    """

    recipe: Recipe
    rates: tuple[Rate, ...]
    suggestion: float
    start: float
    nothing: float
    steps: int
    full: int | None
    stages: tuple[tuple[int, int], ...]
    seeds: tuple[float, ...]
    sharpness: Sharpness
    seconds: float

    @property
    def good(self) -> tuple[float, float]:
        """The range of good rates around the suggestion."""
        low = high = next(i for i, rate in enumerate(self.rates) if rate.lr == self.suggestion)
        while low > 0 and self.rates[low - 1].label == "good":
            low -= 1
        while high + 1 < len(self.rates) and self.rates[high + 1].label == "good":
            high += 1
        return self.rates[low].lr, self.rates[high].lr

    @property
    def edge(self) -> float | None:
        """The lowest rate above the suggestion that diverges; None where none did."""
        return next(
            (
                rate.lr
                for rate in self.rates
                if rate.lr > self.suggestion and rate.label == "diverges"
            ),
            None,
        )

    @property
    def loss(self) -> float:
        """The loss after training at the suggestion, over all training samples."""
        return next(rate.train for rate in self.rates if rate.lr == self.suggestion)

    @property
    def best(self) -> Rate:
        """The rate with the lowest training loss, of those that were trained for all `steps`."""
        return min(
            (rate for rate in self.rates if rate.steps == self.steps), key=lambda rate: rate.train
        )

    @property
    def sure(self) -> float:
        """The estimated probability that, with another seed, the suggestion comes within 10 % of
        the best of itself and its neighbours: (hits + 1) / (seeds + 2).

        The seed of the search counts as a hit. Source: Laplace's rule of succession.
        """
        return (1 + sum(ratio <= GOOD_RATIO for ratio in self.seeds) + 1) / (
            1 + len(self.seeds) + 2
        )

    @property
    def word(self) -> str:
        """How sure the suggestion is, in words: "sure", "fairly sure" or "not sure"."""
        return next(word for level, word in CONFIDENCE_WORDS if self.sure >= level)

    @property
    def slopes(self) -> tuple[float | None, ...]:
        """The slope d(loss)/d(log10 lr) at each rate, as central differences of the losses after
        the steps that all rates took; None beside a rate that diverged.
        """
        slopes: list[float | None] = []
        for i in range(len(self.rates)):
            low, high = self.rates[max(i - 1, 0)], self.rates[min(i + 1, len(self.rates) - 1)]
            rise = (high.first - low.first) / math.log10(high.lr / low.lr)
            slopes.append(rise if math.isfinite(rise) else None)
        return tuple(slopes)

    def plot(self, path: Path | str | None = None) -> Figure:
        """Loss against learning rate as a matplotlib figure, written to `path` (.png or .svg) if
        one is given.

        Raises `ArgumentError` if matplotlib is not installed, or if `path` cannot be written.
        """
        return plot(self, path)

    def to_dict(self) -> dict[str, Any]:
        """All numbers as JSON can hold them; a loss that is not finite is None."""

        def finite(value: float | None) -> float | None:
            return value if value is not None and math.isfinite(value) else None

        return {
            "data": self.recipe.source,
            "step": repr(self.recipe.step),
            "suggestion": self.suggestion,
            "sure": self.sure,
            "word": self.word,
            "good": list(self.good),
            "edge": self.edge,
            "verified": {
                "steps": self.steps,
                "loss": self.loss,
                "best": {"lr": self.best.lr, "loss": self.best.train},
                "ratio": finite(loss_ratio(self.loss, self.best.train)),
                "seeds": [finite(value) for value in self.seeds],
            },
            "sharpness": {
                "eigenvalue": self.sharpness.eigenvalue,
                "edge": self.sharpness.edge,
                "after": self.sharpness.after,
                "reading": self.sharpness.reading,
            },
            "start": self.start,
            "nothing": self.nothing,
            "steps": self.steps,
            "full": self.full,
            "seconds": self.seconds,
            "stages": [{"rates": count, "steps": steps} for count, steps in self.stages],
            "rates": [
                {
                    "lr": rate.lr,
                    "label": rate.label,
                    "steps": rate.steps,
                    "train": finite(rate.train),
                    "valid": finite(rate.valid),
                    "first": finite(rate.first),
                    "slope": slope,
                }
                for rate, slope in zip(self.rates, self.slopes, strict=True)
            ],
        }

    def __repr__(self) -> str:
        low, high = self.good
        return (
            f"<Rates for {self.recipe.source}: {self.suggestion:g} ({self.word}), good from "
            f"{low:g} to {high:g}, "
            f"training loss {self.loss:.4g} after {self.steps} steps>"
        )


def loss_ratio(loss: float, best: float) -> float:
    """`loss` as a multiple of `best`; 1 if both are 0."""
    return 1.0 if loss == best else loss / best if best else math.inf


def classify(loss: float, best: float, start: float, nothing: float, above: bool) -> str:
    """The label of a rate whose training ended at `loss`: "too low", "good", "edge" or "diverges".

    `best` is the lowest loss of all rates, `start` the loss before the first step, `nothing` that
    of a network that ignores its inputs, or `start` if that is lower; `above` says whether the rate
    is above the best one's. A rate above the best one whose loss is no lower than `nothing` has
    diverged, even where the loss is still finite, as with a network whose units have died.
    """
    way = start - best
    if loss <= best + max(min((GOOD_RATIO - 1) * best, GOOD_SHARE * way), NEGLIGIBLE_SHARE * way):
        return "good"
    if not math.isfinite(loss) or (above and loss >= 0.99 * nothing):
        return "diverges"
    return "edge" if above else "too low"


def most_robust_rate(losses: Mapping[int, float], lowest: float) -> int:
    """The number of the rate to take: of those within 5 % of the best loss, the one whose
    neighbours have the lowest losses; of equals, the lowest.

    A rate beside one that diverges, or does much worse, is thus taken only where no other is as
    good. Losses below `lowest`, which the precision cannot tell from 0, count as `lowest`.
    """
    raised = {number: max(loss, lowest) for number, loss in losses.items()}
    best = min(raised.values())

    def worst_nearby(number: int) -> tuple[float, float]:
        nearby = [raised[other] for other in (number - 1, number, number + 1) if other in raised]
        return max(nearby), raised[number]

    candidates = sorted(number for number, loss in raised.items() if loss <= ROBUST_RATIO * best)
    return min(candidates, key=worst_nearby)


def best_window(losses: Sequence[float], size: int, worst: float) -> range:
    """The indices of the `size` neighbouring rates with the best losses: the sum of the logarithms
    of the losses is lowest. A loss above `worst` counts as `worst`.
    """
    logs = [math.log(max(min(loss, worst), 1e-300)) for loss in losses]
    first = min(range(len(logs) - size + 1), key=lambda i: sum(logs[i : i + size]))
    return range(first, first + size)
