"""The leaderboard of a race: recipes by their mean metric over seeds, with intervals and p."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import mean, stdev
from typing import Any

from sevensteps.errors import DataError
from sevensteps.metrics import merit, primary
from sevensteps.record.summary import RunSummary
from sevensteps.training.recipe import Recipe

CONFIDENCE = 0.95  # of the intervals
ROUNDING = 1e-9  # of a difference, that is no spread

Summaries = Sequence[RunSummary]
Histories = Sequence[Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class LeaderboardRow:
    """One recipe of a race. `label` says how it differs from the others, `members` are the numbers
    of its runs, one a seed.

    `metric` is the mean of the validation metric at the end of its runs and `spread` their standard
    deviation (None for one run). `behind` is the mean difference from the best row (negative:
    worse), `interval` its 95 % confidence interval, and `p` the probability of a difference this
    large between two recipes that are equally good. They are None for the best row, where there
    are too few seeds, and where all seeds differ from the best by the same. `curve` is the mean
    metric by epoch.
    """

    label: str
    changes: dict[str, str]
    members: list[int]
    seeds: list[int]
    metric: float
    spread: float | None
    lowest: float
    highest: float
    loss: float
    seconds: float
    stops: dict[str, int]
    behind: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    curve: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The row as it stands in `race.json` and `--json`."""
        return asdict(self)


def group_by_recipe(recipes: Sequence[Recipe]) -> list[list[int]]:
    """The indices of the recipes in groups: those that differ in nothing but their seed are one.

    Groups are in the order of their first recipe.
    """
    groups: dict[Any, list[int]] = {}
    for number, recipe in enumerate(recipes):
        key = (recipe.source, recipe.device, recipe.precision, *map(repr, recipe.steps.values()))
        groups.setdefault(key, []).append(number)
    return list(groups.values())


def differing_values(
    recipes: Sequence[Recipe], groups: Sequence[Sequence[int]]
) -> list[dict[str, str]]:
    """For each group, its values of the steps in which not all groups agree, as text."""
    first = [recipes[numbers[0]] for numbers in groups]
    values = [
        {step: repr(value) for step, value in recipe.steps.items()}
        | {name: str(getattr(recipe, name)) for name in ("device", "precision")}
        for recipe in first
    ]
    differing = [step for step in values[0] if len({of_group[step] for of_group in values}) > 1]
    return [{step: of_group[step] for step in differing} for of_group in values]


def leaderboard(
    recipes: Sequence[Recipe], summaries: Summaries, histories: Histories
) -> list[LeaderboardRow]:
    """One row for each recipe, best first, of runs with these recipes, summaries and histories."""
    groups = group_by_recipe(recipes)
    metric = primary(summaries[0].metrics["valid"])
    rows = [
        _row(metric, values, numbers, recipes, summaries, histories)
        for values, numbers in zip(differing_values(recipes, groups), groups, strict=True)
    ]
    rows.sort(
        key=lambda row: (
            merit(metric, row.metric),
            -row.loss if math.isfinite(row.loss) else -math.inf,
        ),
        reverse=True,
    )
    merits = {
        row.label: [merit(metric, value) for value in _final_values(metric, summaries, row.members)]
        for row in rows
    }
    return [rows[0], *(_compare_with_best(row, rows[0], merits) for row in rows[1:])]


def _row(
    metric: str,
    changes: dict[str, str],
    numbers: list[int],
    recipes: Sequence[Recipe],
    summaries: Summaries,
    histories: Histories,
) -> LeaderboardRow:
    values = _final_values(metric, summaries, numbers)
    finite = [value for value in values if math.isfinite(value)]
    epochs = range(max(len(histories[number]) for number in numbers))
    by_epoch = [
        [
            _nan_if_none(histories[number][epoch]["valid"][metric])
            for number in numbers
            if epoch < len(histories[number])
        ]
        for epoch in epochs
    ]
    return LeaderboardRow(
        label=", ".join(changes.values()) or "as given",
        changes=changes,
        members=numbers,
        seeds=[recipes[number].seed for number in numbers],
        metric=mean(finite) if len(finite) == len(values) else math.nan,
        spread=stdev(finite) if len(finite) > 1 else None,
        lowest=min(values),
        highest=max(values),
        loss=mean(_final_values("loss", summaries, numbers)),
        seconds=mean(_nan_if_none(summaries[number].seconds) for number in numbers),
        stops=dict(Counter(summaries[number].stop.rule for number in numbers)),
        curve=[mean(of_epoch) for of_epoch in by_epoch],
    )


def _compare_with_best(
    row: LeaderboardRow, best: LeaderboardRow, merits: Mapping[str, list[float]]
) -> LeaderboardRow:
    """`row` with its distance from the best: by pairs where both have the same seeds (Student
    1908), otherwise by Welch's test (1947).
    """
    ours, theirs = merits[row.label], merits[best.label]
    if not all(map(math.isfinite, [*ours, *theirs])):
        return row
    behind = mean(ours) - mean(theirs)
    if len(ours) < 2 or len(theirs) < 2:
        return replace(row, behind=behind)
    paired = row.seeds == best.seeds
    samples = [[a - b for a, b in zip(ours, theirs, strict=True)]] if paired else [ours, theirs]
    if max(map(stdev, samples)) <= ROUNDING * abs(behind):  # a t statistic would divide by 0
        if behind:  # the seeds say nothing of chance, and two of the same are no evidence
            return replace(row, behind=behind)
        return replace(row, behind=behind, interval=(0.0, 0.0), p=1.0)
    from scipy.stats import ttest_ind, ttest_rel  # takes half a second to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of values that are equal but for rounding
        test = ttest_rel(ours, theirs) if paired else ttest_ind(ours, theirs, equal_var=False)
        low, high = test.confidence_interval(CONFIDENCE)
    return replace(row, behind=behind, interval=(float(low), float(high)), p=float(test.pvalue))


def _final_values(metric: str, summaries: Summaries, numbers: Sequence[int]) -> list[float]:
    return [_nan_if_none(summaries[number].metrics["valid"][metric]) for number in numbers]


def _nan_if_none(value: float | None) -> float:
    return math.nan if value is None else float(value)


def require_same_data(recipes: Sequence[Recipe], digests: Sequence[str]) -> None:
    """Raise `DataError` for recipes on different data, whose results could not be compared."""
    for number, digest in enumerate(digests, 1):
        if digest != digests[0]:
            raise DataError(
                f"recipe {number} is about {recipes[number - 1].source} and recipe 1 about "
                f"{recipes[0].source}; a race compares trainings on the same data: give all "
                "recipes the same"
            )
