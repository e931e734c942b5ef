"""What runs of a script are compared by."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sevensteps.doctor.trials.script.measure import ACCURACY, UNSEEN
from sevensteps.doctor.trials.script.results import (
    PRINTED,
    SCORE,
    TRAIN_LOSS,
    VALID_LOSS,
    least_of,
    measure_of,
    printed_score,
    value_of,
)

RESULT: dict[str, Any] = {
    "steps": 5,
    "loss": 2.0,
    "valid_score": 0.5,
    "valid_loss": 3.0,
    "kept": [ACCURACY, 0.25],
    "printed": ["reward", 7.0],
    "others": {UNSEEN: 0.125},
}


@pytest.mark.parametrize(
    ("missing", "changes_loss", "measure", "value"),
    [
        ((), False, SCORE, 0.5),
        ((), True, SCORE, 0.5),
        (("valid_score",), True, f"{PRINTED}reward", 7.0),
        (("valid_score", "printed"), False, VALID_LOSS, -3.0),
        (("valid_score", "printed"), True, ACCURACY, 0.25),
        (("valid_score", "printed", "valid_loss"), False, ACCURACY, 0.25),
        (("valid_score", "printed", "valid_loss", "kept"), False, TRAIN_LOSS, -2.0),
        (("valid_score", "printed", "valid_loss", "kept"), True, None, None),
    ],
)
def test_the_measure_is_what_the_change_leaves_alone(
    missing: tuple[str, ...], changes_loss: bool, measure: str | None, value: float | None
) -> None:
    result = {**RESULT, **dict.fromkeys(missing)}
    assert measure_of(result, changes_loss) == measure
    if measure is not None:
        assert value_of(result, measure) == value
    assert math.isnan(value_of({**RESULT, "kept": None}, ACCURACY))


def test_some_conditions_have_a_measure_of_their_own() -> None:
    assert measure_of(RESULT, True, "target_in_input") == UNSEEN
    assert value_of(RESULT, UNSEEN) == 0.125
    assert measure_of({**RESULT, "others": {}}, True, "target_in_input") == SCORE


def test_pairs_that_are_mended_are_not_judged_by_those_that_were_wrong() -> None:
    without = {**RESULT, **dict.fromkeys(("valid_score", "printed", "valid_loss"))}
    assert measure_of(without, False, "labels_unrelated") == TRAIN_LOSS
    assert measure_of(without, False, "not_shuffled") == ACCURACY


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("loss 0.3", None),
        ("Accuracy: 93.1%", ["accuracy", 93.1]),
        ("reward 1.5\nmean reward = -2e-1\nloss 7", ["reward", -0.2]),
        ("val_acc=.5", ["acc", 0.5]),
        ("scores 3, preacc 4", None),
        ("Accuracy of the network on the test images: 55 %", ["accuracy", 55.0]),
        ("acc, loss: 0.3", None),
    ],
)
def test_the_last_score_that_is_printed(output: str, expected: Any) -> None:
    assert printed_score(output) == expected


def test_what_a_remedy_has_to_gain() -> None:
    assert least_of(ACCURACY, 0.5) == 0.03
    assert least_of(TRAIN_LOSS, -2.0) == pytest.approx(0.1)
    assert least_of(f"{PRINTED}reward", 200.0) == pytest.approx(10.0)
    assert least_of(f"{PRINTED}acc", 0.1) == 0.03
    assert least_of(VALID_LOSS, math.nan) == 0.03
