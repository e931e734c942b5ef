"""A trial's numbers: the interval by its formula and by hand, what counts as proven, and
what is said of it.
"""

from __future__ import annotations

import json
import math
import random
from statistics import stdev
from typing import Any

import pytest
from scipy.stats import t

from sevensteps.doctor.trials.trial import ScriptTrial, Trial, best_trial
from sevensteps.record.run_folder import nan_to_null

NAN, INF = math.nan, math.inf


def trial(
    untouched: list[float], remedied: list[float], randomly: list[float] | None = None, **given: Any
) -> Trial:
    return Trial(
        "learning_rate_too_high",
        {"step": "sgd(lr=0.1)"},
        **{"measure": "validation accuracy", "least": 0.01, **given},
        seeds=list(range(len(remedied))),
        untouched=untouched,
        remedied=remedied,
        random=randomly or [],
    )


# -- the interval ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(5))
def test_the_interval_is_that_of_the_paired_t_test(count: int, seed: int) -> None:
    draw = random.Random(seed)
    untouched, remedied = (
        [draw.gauss(middle, 0.05) for _ in range(count)] for middle in (0.5, 0.6)
    )
    made = trial(untouched, remedied)
    differences = [b - a for a, b in zip(untouched, remedied, strict=True)]
    assert made.differences == pytest.approx(differences)
    assert made.difference == pytest.approx(sum(differences) / count)
    middle = sum(differences) / count
    reach = t.ppf(0.975, count - 1) * stdev(differences) / math.sqrt(count)
    assert made.interval == pytest.approx((middle - reach, middle + reach), rel=1e-9)


def test_an_interval_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, standard deviation 1, and Student's t for 97.5 % and 2 degrees of
    # freedom is 4.302653 in every table.
    reach = 4.302653 / 3**0.5
    assert trial([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]).interval == pytest.approx(
        (2 - reach, 2 + reach), rel=1e-6
    )


def test_without_two_pairs_there_is_no_interval() -> None:
    assert trial([], []).interval is None
    assert trial([], []).difference is None
    assert trial([0.5], [0.9]).interval is None
    assert trial([0.5], [0.9]).difference == pytest.approx(0.4)


# -- what is proven --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("untouched", "remedied", "randomly", "proven"),
    [
        ([0.1, 0.1, 0.1], [0.9, 0.91, 0.92], [], True),
        ([0.1, 0.1], [0.9, 0.9], [], False),  # two seeds are too few
        ([], [], [], False),
        (
            [0.5, 0.5, 0.5],
            [0.9, 0.9, 0.4],
            [],
            False,
        ),  # the interval, -0.45 to 0.98, holds no effect
        ([0.5, 0.5, 0.5], [0.505, 0.505, 0.505], [], False),  # certain, and not worth while
        ([0.5, 0.5, 0.5], [0.52, 0.52, 0.52], [], True),
        ([0.5, 0.5, 0.5], [0.1, 0.1, 0.1], [], False),  # certain, and worse
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [], False),
        ([0.1, 0.1, 0.1], [0.9, 0.9, 0.9], [0.5, 0.1, 0.2], True),
        (
            [0.1, 0.1, 0.1],
            [0.9, 0.9, 0.9],
            [0.905, 0.905, 0.905],
            True,
        ),  # not better by what would be worth while
        (
            [0.1, 0.1, 0.1],
            [0.9, 0.9, 0.9],
            [0.97, 0.95, 0.96],
            True,
        ),  # nor by a tenth of what the remedy does
        (
            [0.1, 0.1, 0.1],
            [0.9, 0.9, 0.9],
            [0.99, 0.99, 0.99],
            False,
        ),  # anything would have done, and more
        ([0.1, 0.1, 0.1], [0.30, 0.31, 0.32], [0.92, 0.1, 0.1], False),
        ([0.1, 0.1, 0.1], [0.3, 0.3, 0.3], [0.4], False),
    ],
)
def test_what_is_proven(
    untouched: list[float], remedied: list[float], randomly: list[float], proven: bool
) -> None:
    assert trial(untouched, remedied, randomly).proven is proven


def test_the_least_effect_counts() -> None:
    numbers = [0.50, 0.51, 0.52], [0.53, 0.54, 0.55]
    assert trial(*numbers, least=0.02).proven
    assert not trial(*numbers, least=0.04).proven


def test_the_best_is_the_proven_one_with_the_largest_effect() -> None:
    good, better = (
        trial([0.1, 0.1, 0.1], [0.5, 0.51, 0.52]),
        trial([0.1, 0.1, 0.1], [0.8, 0.81, 0.82]),
    )
    unproven = trial([0.1, 0.1], [0.9, 0.9])
    assert best_trial([good, unproven, better]) is better
    assert best_trial([better, good]) is better
    assert best_trial([unproven, trial([], [])]) is None
    assert best_trial([]) is None


# -- trainings that diverged -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("untouched", "remedied", "differences", "proven"),
    [
        ([NAN, NAN, NAN], [0.90, 0.91, 0.92], [0.90, 0.91, 0.92], True),
        ([0.90, 0.91, 0.92], [NAN, NAN, NAN], [-0.90, -0.91, -0.92], False),
        ([NAN, NAN, NAN], [NAN, NAN, NAN], [0.0, 0.0, 0.0], False),
        ([NAN, NAN, NAN], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], False),
        (
            [-INF, NAN, INF],
            [0.90, 0.91, 0.92],
            [0.90, 0.91, 0.92],
            True,
        ),  # more than every number is no good result either
        (
            [NAN, NAN, NAN],
            [-3.0, -2.0, -2.5],
            [3.0, 4.0, 3.5],
            True,
        ),  # a loss: what is there at worst, twice
        ([-1.0, -1.2, -1.1], [NAN, -0.5, -0.5], [-1.4, 0.7, 0.6], False),
    ],
)
def test_diverging_is_worse_than_all_that_came_to_a_number(
    untouched: list[float], remedied: list[float], differences: list[float], proven: bool
) -> None:
    made = trial(untouched, remedied)
    assert made.differences == pytest.approx(differences)
    assert made.proven is proven
    assert made.interval is not None
    assert all(map(math.isfinite, made.interval))


@pytest.mark.parametrize("randomly", [[-1e9, NAN, NAN], [NAN, NAN, NAN], [INF, NAN, 0.0]])
def test_what_changes_at_random_come_to_does_not_move_the_interval(randomly: list[float]) -> None:
    numbers = [NAN, 0.2, 0.3], [0.90, 0.91, 0.92]
    assert trial(*numbers, randomly).interval == trial(*numbers).interval
    assert trial(*numbers, randomly).proven


# -- there and back --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        trial([0.1, 0.2, 0.1], [0.9, 0.8, 0.85], [0.5], random_changes=[{"step": "sgd(lr=0.2)"}]),
        trial(
            [NAN, 0.2, NAN],
            [0.9, NAN, 0.85],
            [NAN],
            problem="500 of 5,000 training samples",
            note="the time given for trials is over",
        ),
        trial([0.1], [0.05]),
        trial([], [], note="a width must be a whole number, not 'x'"),
    ],
    ids=["whole", "nan", "one seed", "not tried"],
)
def test_json_gives_the_same_trial_back(made: Trial) -> None:
    text = json.dumps(nan_to_null(made.to_dict()), allow_nan=False)
    back = Trial.from_dict(json.loads(text))
    assert repr(back) == repr(made)  # as text: nan is nan too
    assert (back.interval, back.proven, back.verdict) == (made.interval, made.proven, made.verdict)
    held = json.loads(text)
    assert held["proven"] is made.proven
    assert held["difference"] == made.difference
    assert held["interval"] == (None if made.interval is None else pytest.approx(made.interval))


@pytest.mark.parametrize(
    "damage",
    [
        lambda held: held.pop("seeds"),
        lambda held: held.pop("untouched"),
        lambda held: held.update(random=None),
    ],
)
def test_anything_else_is_a_key_or_type_error(damage: Any) -> None:
    held = trial([0.1], [0.2]).to_dict()
    damage(held)
    with pytest.raises((KeyError, TypeError)):
        Trial.from_dict(held)


# -- what is said ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            trial([0.1, 0.1, 0.1], [0.9, 0.91, 0.92], [0.4, 0.5, 0.6]),
            "proven: validation accuracy 0.1 → 0.91 (+0.81, 95 % interval +0.785 to +0.835, 3 "
            "seeds); random changes of that size: 0.5",
        ),
        (trial([0.5], [0.4]), "did not help: validation accuracy 0.5 → 0.4"),
        (trial([0.5], [0.505]), "did not help: validation accuracy 0.5 → 0.505"),
        (
            trial([0.5, 0.5], [0.6, 0.8], note="the time given for trials is over"),
            "not proven: validation accuracy 0.5 → 0.7 (+0.2, 95 % interval -1.07 to +1.47, 2 "
            "seeds); the time given for trials is over",
        ),
        (
            trial([NAN] * 3, [0.9] * 3, problem="500 of 5,000 training samples"),
            "proven: validation accuracy 0 → 0.9 (+0.9, 95 % interval +0.9 to +0.9, 3 seeds); on "
            "500 of 5,000 training samples",
        ),
        (
            trial([0.0], [0.9], [0.0], measure="validation r2"),
            "not proven: validation r2 0 or below → 0.9; random changes of that size: 0 or below",
        ),
        (trial([], [], note="cnn reads pictures"), "not tried, cnn reads pictures"),
    ],
)
def test_the_verdict_is_one_sentence(made: Trial, said: str) -> None:
    assert made.verdict == said
    assert str(made) == f"step = sgd(lr=0.1): {said}"


@pytest.mark.parametrize(
    ("kind", "after", "goes_on"),
    [
        (Trial, 0.5, False),
        (Trial, 0.6, True),
        (ScriptTrial, 0.5, True),
        (ScriptTrial, 0.4, False),
    ],
)
def test_one_seed_ends_a_trial_only_if_the_fault_was_seen_on_it_or_if_it_does_harm(
    kind: type[Trial], after: float, goes_on: bool
) -> None:
    one = kind("dead_units", {}, "accuracy", 0.01, [0], untouched=[0.5], remedied=[after])
    assert one.open == goes_on


@pytest.mark.parametrize(
    ("remedied", "randomly", "proven"),
    [
        ([0.9, 0.9, 0.9], [0.2, 0.2, 0.2], True),
        ([0.9, 0.9, 0.9], [0.5, 0.5, 0.5], False),  # half as good: three seeds are too few
        ([0.4, 0.9, 0.6], [], False),  # an interval from 0.02 on says little
        ([0.9, 0.9, 0.9, 0.9, 0.8], [0.905, 0.905, 0.905], True),  # every seed shows the effect
        ([0.9, 0.9, 0.9, 0.9, 0.3], [0.8, 0.9, 0.9], False),  # one does not
        ([0.9, 0.9, 0.9, 0.9, 0.3], [0.1, 0.2, 0.1], True),
    ],
)
def test_of_a_script_more_is_asked(
    remedied: list[float], randomly: list[float], proven: bool
) -> None:
    one = ScriptTrial("dead_units", {}, "accuracy", 0.01, list(range(len(remedied))))
    one.untouched, one.remedied, one.random = [0.1] * len(remedied), remedied, randomly
    assert one.proven == proven
