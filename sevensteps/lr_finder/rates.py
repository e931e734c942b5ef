"""What the trainings of a learning-rate search say: which rates are good, which one to take, and
how sure that is.
"""

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
# of the way from the start to the best that a good rate may fall short, where that is less than 10
# % of the loss
GOOD_SHARE_OF_DESCENT = 0.25
NEGLIGIBLE_SHARE_OF_DESCENT = (
    0.01  # and the share of that way that never matters, however near 0 the best loss is
)
# times the best loss: up to here the sturdier rate is taken; half of WITHIN, the rest is for the
# noise
ROBUST_RATIO = 1.05
CONFIDENCE_WORDS = ((0.75, "sure"), (0.5, "fairly sure"), (0.0, "not sure"))


@dataclass(frozen=True)
class Rate:
    """A learning rate that was tried. `first` is its training loss after the steps that all rates took; `train` and `valid` are the losses
    after the `steps` that it went itself. A loss is infinite where the training came to no number.
    """

    lr: float
    first: float
    steps: int
    train: float
    valid: float
    label: str


@dataclass(frozen=True)
class Sharpness:
    """`eigenvalue` is λ_max of the Hessian at the start, `edge` the largest rate at which gradient descent is stable there, `after` the
    same edge once trained at the suggestion; None where it cannot be had. `reading` says what they mean, in a sentence.
    """

    eigenvalue: float | None
    edge: float | None
    after: float | None
    reading: str


@dataclass(frozen=True)
class Rates:
    """The answer of a search. `recipe` has the suggestion in place; `start` is the training loss before the first step,
    `nothing` that of a network that knows nothing of its inputs, if lower.

    `steps` is how many the last trainings took, `full` how many the recipe may take (None: its stop
    does not say). `stages` are (number of rates, steps) as they were trained, the last ones each
    alone. `seeds` gives, for each further seed, the loss at the suggestion over the best of it and
    its neighbours."""

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
        """The training loss after training at the suggestion, over all training samples."""
        return next(rate.train for rate in self.rates if rate.lr == self.suggestion)

    @property
    def best(self) -> Rate:
        """The rate with the lowest training loss of those that went all `steps`."""
        return min(
            (rate for rate in self.rates if rate.steps == self.steps), key=lambda rate: rate.train
        )

    @property
    def sure(self) -> float:
        """How likely the suggestion comes within 10 % of the best of its neighbours with another
        seed: (hits + 1) / (seeds + 2).

        The seed of the search is one of the seeds. Source: Laplace's rule of succession.
        """
        return (1 + sum(ratio <= GOOD_RATIO for ratio in self.seeds) + 1) / (
            1 + len(self.seeds) + 2
        )

    @property
    def word(self) -> str:
        """The same in words."""
        return next(word for level, word in CONFIDENCE_WORDS if self.sure >= level)

    @property
    def slopes(self) -> tuple[float | None, ...]:
        """d(loss)/d(log10 lr) after the steps that all rates took, as central differences; None
        beside a rate without a loss.
        """
        found: list[float | None] = []
        for i in range(len(self.rates)):
            low, high = self.rates[max(i - 1, 0)], self.rates[min(i + 1, len(self.rates) - 1)]
            rise = (high.first - low.first) / math.log10(high.lr / low.lr)
            found.append(rise if math.isfinite(rise) else None)
        return tuple(found)

    def plot(self, path: Path | str | None = None) -> Figure:
        """Loss against learning rate as a figure of matplotlib; written to `path` (.png or .svg)
        where one is given.

        Raises `ArgumentError` where matplotlib is not installed.
        """
        return plot(self, path)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it; a loss that is no number is None."""

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
    """`loss` as a multiple of `best`; 1 for two that are both 0."""
    return 1.0 if loss == best else loss / best if best else math.inf


def classify(loss: float, best: float, start: float, nothing: float, above: bool) -> str:
    """What a training says that came to `loss`, the best one to `best`, from `start`; `above` where
    its rate is above the best one's.

    `nothing` is the loss of a network that knows nothing, or `start` if that is lower: who is above
    the best one and has no lower loss has diverged, even where the loss is still a number, as it is
    of a network whose units have died."""
    way = start - best
    if loss <= best + max(
        min((GOOD_RATIO - 1) * best, GOOD_SHARE_OF_DESCENT * way), NEGLIGIBLE_SHARE_OF_DESCENT * way
    ):
        return "good"
    if not math.isfinite(loss) or (above and loss >= 0.99 * nothing):
        return "diverges"
    return "edge" if above else "too low"


def most_robust_rate(losses: Mapping[int, float], lowest: float) -> int:
    """Of the rates, by number, within `CLOSE` of the best loss, the one whose two neighbours have
    the lowest losses beside it.

    A rate beside one that diverges, or falls apart, is thereby taken only where no other is as
    good. Losses below `lowest`, what the precision can tell from 0, count as that."""
    at_least = {number: max(loss, lowest) for number, loss in losses.items()}
    best = min(at_least.values())

    def worst_beside(number: int) -> tuple[float, float]:
        beside = [at_least[other] for other in (number - 1, number + 1) if other in at_least]
        return max([at_least[number], *beside]), at_least[number]

    return min(
        (number for number, loss in at_least.items() if loss <= ROBUST_RATIO * best),
        key=worst_beside,
    )


def best_window(losses: Sequence[float], size: int, worst: float) -> range:
    """The numbers of `size` neighbouring rates with the best losses: those whose logarithms have
    the least sum, each at most `worst`.
    """
    logs = [math.log(max(min(loss, worst), 1e-300)) for loss in losses]
    first = min(range(len(logs) - size + 1), key=lambda i: sum(logs[i : i + size]))
    return range(first, first + size)
