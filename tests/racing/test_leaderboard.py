"""The table: means and spread over seeds, best first, and intervals and p that scipy's own tests
give.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy import stats

from sevensteps.errors import DataError
from sevensteps.racing.leaderboard import group_by_recipe, leaderboard, require_same_data
from tests.racing.alone import recipe

ONE, TWO = [0.91, 0.93, 0.90, 0.94], [0.88, 0.91, 0.89, 0.90]


def summary(value: float | None, metric: str = "accuracy", rule: str = "epochs") -> dict[str, Any]:
    valid = {"loss": 1.0 if metric != "loss" else value, metric: value}
    return {"metrics": {"valid": valid}, "stop": {"rule": rule}, "seconds": 2.0}


def history(*values: float, metric: str = "accuracy") -> list[dict[str, Any]]:
    return [{"valid": {metric: value, "loss": 1.0}} for value in values]


def table(
    values: dict[str, list[float | None]],
    metric: str = "accuracy",
    seeds: dict[str, list[int]] | None = None,
) -> Any:
    recipes = [
        recipe(step=step, seed=seed)
        for step, found in values.items()
        for seed in (seeds or {}).get(step, range(len(found)))
    ]
    summaries = [summary(value, metric) for found in values.values() for value in found]
    histories = [
        history(0.5, value or 0.0, metric=metric) for found in values.values() for value in found
    ]
    return leaderboard(recipes, summaries, histories)


def test_best_first_with_mean_and_spread() -> None:
    first, second = table({"sgd(lr=0.1)": [*TWO], "sgd(lr=0.2)": [*ONE]})
    assert (first.label, second.label) == ("sgd(lr=0.2)", "sgd(lr=0.1)")
    assert first.changes == {"step": "sgd(lr=0.2)"}
    assert first.metric == pytest.approx(sum(ONE) / 4)
    assert first.spread == pytest.approx(stats.tstd(ONE))
    assert (first.lowest, first.highest) == (0.90, 0.94)
    assert first.members == [4, 5, 6, 7]
    assert first.seeds == [0, 1, 2, 3]
    assert first.curve == [0.5, pytest.approx(sum(ONE) / 4)]
    assert first.behind is None
    assert first.stops == {"epochs": 4}


def test_pairs_of_seeds_are_compared_as_pairs() -> None:
    _, second = table({"sgd(lr=0.2)": [*ONE], "sgd(lr=0.1)": [*TWO]})
    paired = stats.ttest_rel(TWO, ONE)
    assert second.p == pytest.approx(paired.pvalue)
    interval = paired.confidence_interval(0.95)
    assert second.interval == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert second.behind == pytest.approx(sum(TWO) / 4 - sum(ONE) / 4)


def test_other_seeds_are_compared_by_welch() -> None:
    _, second = table(
        {"sgd(lr=0.2)": [*ONE], "sgd(lr=0.1)": [*TWO]}, seeds={"sgd(lr=0.1)": [5, 6, 7, 8]}
    )
    welch = stats.ttest_ind(TWO, ONE, equal_var=False)
    assert second.p == pytest.approx(welch.pvalue)
    interval = welch.confidence_interval(0.95)
    assert second.interval == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_one_seed_has_a_difference_and_no_certainty() -> None:
    first, second = table({"sgd(lr=0.2)": [0.9], "sgd(lr=0.1)": [0.8]})
    assert first.spread is None
    assert (second.behind, second.interval, second.p) == (pytest.approx(-0.1), None, None)


def test_of_losses_the_lower_is_better_and_behind_is_still_negative() -> None:
    first, second = table({"sgd(lr=0.2)": [0.9, 0.8], "sgd(lr=0.1)": [0.2, 0.3]}, metric="loss")
    assert first.label == "sgd(lr=0.1)"
    assert second.behind == pytest.approx(-0.6)


def test_what_is_not_a_number_is_last_and_compared_with_nothing() -> None:
    first, second = table({"sgd(lr=0.2)": [0.9, None], "sgd(lr=0.1)": [0.2, 0.3]}, metric="loss")
    assert first.label == "sgd(lr=0.1)"
    assert math.isnan(second.metric)
    assert second.behind is None


def test_equal_runs_differ_by_nothing() -> None:
    _, second = table({"sgd(lr=0.2)": [0.9, 0.8], "sgd(lr=0.1)": [0.9, 0.8]})
    assert (second.behind, second.p) == (0.0, 1.0)


def test_what_differs_in_the_seed_alone_is_one_entry() -> None:
    recipes = [
        recipe(seed=1),
        recipe(step="adam()"),
        recipe(seed=2),
        recipe(precision="float32"),
        recipe(step="adam()", seed=3),
    ]
    assert group_by_recipe(recipes) == [[0, 2], [1, 4], [3]]


def test_other_data_are_refused() -> None:
    with pytest.raises(
        DataError,
        match=r"recipe 2 is about iris and recipe 1 about wine; a race compares trainings on the "
        r"same data",
    ):
        require_same_data([recipe("wine"), recipe("iris")], ["a", "b"])
