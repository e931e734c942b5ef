"""The leaderboard: means and spread over seeds, best first, intervals and p by the formulas."""

from __future__ import annotations

import json
import math
from statistics import mean, stdev, variance
from typing import Any

import pytest
from scipy import stats

from sevensteps.errors import DataError
from sevensteps.racing.leaderboard import group_by_recipe, leaderboard, require_same_data
from sevensteps.record.summary import RunSummary
from tests.helpers.summaries import summary
from tests.racing.alone import recipe

ONE, TWO = [0.91, 0.93, 0.90, 0.94], [0.88, 0.91, 0.89, 0.90]


def with_metric(value: float | None, metric: str = "accuracy") -> RunSummary:
    valid = {"loss": 1.0 if metric != "loss" else value, metric: value}
    return summary(metrics={"train": valid, "valid": valid}, seconds=2.0)


def history(*values: float, metric: str = "accuracy") -> list[dict[str, Any]]:
    return [{"valid": {metric: value, "loss": 1.0}} for value in values]


def table(
    values: dict[str, list[float | None]],
    metric: str = "accuracy",
    seeds: dict[str, list[int]] | None = None,
) -> Any:
    recipes = [
        recipe(step=step, seed=seed)
        for step, metrics in values.items()
        for seed in (seeds or {}).get(step, range(len(metrics)))
    ]
    summaries = [with_metric(value, metric) for metrics in values.values() for value in metrics]
    histories = [
        history(0.5, value or 0.0, metric=metric)
        for metrics in values.values()
        for value in metrics
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


def student(difference: float, error: float, freedom: float) -> tuple[float, float, float]:
    """The interval of 95 % and p of a difference with this standard error."""
    reach = stats.t.ppf(0.975, freedom) * error
    p = 2 * stats.t.sf(abs(difference) / error, freedom)
    return difference - reach, difference + reach, p


def test_pairs_of_seeds_are_compared_as_pairs() -> None:
    _, second = table({"sgd(lr=0.2)": [*ONE], "sgd(lr=0.1)": [*TWO]})
    differences = [a - b for a, b in zip(TWO, ONE, strict=True)]
    low, high, p = student(mean(differences), stdev(differences) / 2, 3)
    assert second.behind == pytest.approx(mean(differences))
    assert second.interval == pytest.approx((low, high), rel=1e-9)
    assert second.p == pytest.approx(p, rel=1e-9)
    assert json.loads(json.dumps(second.to_dict()))["interval"] == list(second.interval)


@pytest.mark.parametrize("one", [ONE, [*ONE, 0.97], ONE[:2]])
def test_other_seeds_are_compared_by_welch(one: list[float]) -> None:
    _, second = table(
        {"sgd(lr=0.2)": [*one], "sgd(lr=0.1)": [*TWO]}, seeds={"sgd(lr=0.1)": [5, 6, 7, 8]}
    )
    a, b = variance(TWO) / len(TWO), variance(one) / len(one)
    freedom = (a + b) ** 2 / (a**2 / (len(TWO) - 1) + b**2 / (len(one) - 1))
    low, high, p = student(mean(TWO) - mean(one), math.sqrt(a + b), freedom)
    assert second.interval == pytest.approx((low, high), rel=1e-9)
    assert second.p == pytest.approx(p, rel=1e-9)


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


def test_seeds_that_all_differ_by_the_same_say_nothing_of_chance() -> None:
    _, row = table({"sgd(lr=0.2)": [0.9, 0.8], "sgd(lr=0.1)": [0.8, 0.7]})
    assert row.behind == pytest.approx(-0.1)
    assert row.interval is None
    assert row.p is None


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
