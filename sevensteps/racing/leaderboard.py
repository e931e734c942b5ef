"""Who is ahead: what the runs of each recipe came to over its seeds, best first, and whether the
difference is more than chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import mean, stdev
from typing import Any

from sevensteps.errors import DataError
from sevensteps.metrics import LOWER_IS_BETTER, merit, primary
from sevensteps.training.recipe import Recipe

CONFIDENCE = 0.95  # of the intervals


@dataclass(frozen=True)
class LeaderboardRow:
    """One recipe in the table. `label` says in what it differs from the others; `members` are the numbers of its runs, by seed.

    `metric` is the mean of the validation metric at the end of its runs and `spread` their standard
    deviation (None for one run); `behind` is the mean difference to the best row, worse is
    negative, `interval` where that lies with 95 % confidence, and `p` the probability of such a
    difference by chance; None for the best itself and where there are too few seeds to tell."""

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
        """As `race.json` and `--json` hold it."""
        return asdict(self)


def group_by_recipe(recipes: Sequence[Recipe]) -> list[list[int]]:
    """The numbers of the recipes that differ in nothing but their seed, together, in the order in
    which they come first.
    """
    found: dict[Any, list[int]] = {}
    for number, recipe in enumerate(recipes):
        key = (recipe.source, recipe.device, recipe.precision, *map(repr, recipe.steps.values()))
        found.setdefault(key, []).append(number)
    return list(found.values())


def differing_values(
    recipes: Sequence[Recipe], of: Sequence[Sequence[int]]
) -> list[dict[str, str]]:
    """For each entry the steps in which not all entries agree, as text."""
    steps = [
        {step: repr(held) for step, held in recipes[numbers[0]].steps.items()} for numbers in of
    ]
    for held, numbers in zip(steps, of, strict=True):
        held |= {name: str(getattr(recipes[numbers[0]], name)) for name in ("device", "precision")}
    differing = [step for step in steps[0] if len({held[step] for held in steps}) > 1]
    return [{step: held[step] for step in differing} for held in steps]


def leaderboard(
    recipes: Sequence[Recipe],
    summaries: Sequence[Mapping[str, Any]],
    histories: Sequence[Sequence[Mapping[str, Any]]],
) -> list[LeaderboardRow]:
    """The table, best first, of runs with these recipes, summaries and histories."""
    of = group_by_recipe(recipes)
    metric = primary(summaries[0]["metrics"]["valid"])
    rows = [
        _leaderboard_row(metric, change, numbers, recipes, summaries, histories)
        for change, numbers in zip(differing_values(recipes, of), of, strict=True)
    ]
    values = {row.label: _metric_values(metric, summaries, row.members) for row in rows}
    rows.sort(
        key=lambda row: (
            merit(metric, row.metric),
            -row.loss if math.isfinite(row.loss) else -math.inf,
        ),
        reverse=True,
    )
    return [rows[0], *(_compare_with_best(metric, rows[0], row, values) for row in rows[1:])]


def _leaderboard_row(
    metric: str,
    change: dict[str, str],
    numbers: list[int],
    recipes: Sequence[Recipe],
    summaries: Sequence[Mapping[str, Any]],
    histories: Sequence[Sequence[Mapping[str, Any]]],
) -> LeaderboardRow:
    found = _metric_values(metric, summaries, numbers)
    finite = [value for value in found if math.isfinite(value)]
    stops: dict[str, int] = {}
    for number in numbers:
        rule = summaries[number]["stop"]["rule"]
        stops[rule] = stops.get(rule, 0) + 1
    longest = max(len(histories[number]) for number in numbers)
    curve = [
        mean(rows)
        for epoch in range(longest)
        if (
            rows := [
                _nan_if_none(histories[number][epoch]["valid"][metric])
                for number in numbers
                if epoch < len(histories[number])
            ]
        )
    ]
    return LeaderboardRow(
        ", ".join(change.values()) or "as given",
        change,
        numbers,
        [recipes[number].seed for number in numbers],
        mean(finite) if len(finite) == len(found) else math.nan,
        stdev(finite) if len(finite) > 1 else None,
        min(found),
        max(found),
        mean(_nan_if_none(summaries[number]["metrics"]["valid"]["loss"]) for number in numbers),
        mean(summaries[number]["seconds"] for number in numbers),
        stops,
        curve=curve,
    )


def _compare_with_best(
    metric: str, best: LeaderboardRow, row: LeaderboardRow, values: Mapping[str, list[float]]
) -> LeaderboardRow:
    """`row` with how far it is behind the best: pairs of equal seeds where it has them (Student
    1908), else Welch 1947.
    """
    sign = -1 if LOWER_IS_BETTER[metric] else 1
    ours, theirs = (
        [sign * value for value in values[row.label]],
        [sign * value for value in values[best.label]],
    )
    if not all(map(math.isfinite, [*ours, *theirs])):
        return row
    behind = mean(ours) - mean(theirs)
    if len(ours) < 2 or len(theirs) < 2:
        return replace(row, behind=behind)
    if row.seeds == best.seeds:
        differences = [a - b for a, b in zip(ours, theirs, strict=True)]
        error, freedom = (
            stdev(differences) / math.sqrt(len(differences)),
            float(len(differences) - 1),
        )
    else:
        a, b = stdev(ours) ** 2 / len(ours), stdev(theirs) ** 2 / len(theirs)
        error = math.sqrt(a + b)
        freedom = (
            (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / (len(theirs) - 1)) if error else 1.0
        )
    if not error:
        return replace(row, behind=behind, interval=(behind, behind), p=0.0 if behind else 1.0)
    from scipy.stats import t

    reach = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return replace(
        row,
        behind=behind,
        interval=(behind - reach, behind + reach),
        p=float(2 * t.sf(abs(behind) / error, freedom)),
    )


def _metric_values(
    metric: str, summaries: Sequence[Mapping[str, Any]], numbers: Sequence[int]
) -> list[float]:
    return [_nan_if_none(summaries[number]["metrics"]["valid"][metric]) for number in numbers]


def _nan_if_none(held: float | None) -> float:
    return math.nan if held is None else float(held)


def require_same_data(recipes: Sequence[Recipe], digests: Sequence[str]) -> None:
    """Refuse recipes on different data: what they come to could not be compared."""
    for number, digest in enumerate(digests):
        if digest != digests[0]:
            raise DataError(
                f"recipe {number + 1} is about {recipes[number].source} and recipe 1 about "
                f"{recipes[0].source}; a race "
                "compares trainings on the same data: give all recipes the same"
            )
