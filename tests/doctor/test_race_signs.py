"""Signs that a training went wrong: each fires where it should, and none on a healthy one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sevensteps.doctor.observer import DoctorObserver
from sevensteps.doctor.race_signs import sign_of_trouble, skill
from sevensteps.observe.observation import Observation
from sevensteps.training.state import Training
from tests.racing.alone import alone, recipe

HEALTHY: dict[str, Any] = {
    "predict": "mlp(16)",
    "step": "sgd(lr=0.1)",
    "repeat": "batches(16)",
    "stop": "epochs(30)",
}


def trained(**values: Any) -> tuple[Training, Observation, str]:
    doctor = DoctorObserver(1.0)
    training, (rule, _) = alone(recipe("iris", **{**HEALTHY, **values}), (doctor,))
    assert doctor.watcher.observation is not None
    return training, doctor.watcher.observation, rule


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.sampled(1)
def test_nothing_is_off_with_a_healthy_training(seed: int) -> None:
    training, observation, rule = trained(seed=seed)
    own = skill(training)
    assert own is not None
    assert sign_of_trouble(training, observation, rule, [own, own, own]) == ""


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        ({"step": "sgd(lr=1e30)"}, "its loss is not finite"),
        ({"step": "sgd(lr=1e-9)"}, "its loss did not fall|no better than"),
        ({"initialize": "zeros()"}, "alike|no better than"),
        (
            {"predict": "mlp(16, activation='sigmoid')", "initialize": "normal(std=500)"},
            "saturated|no better than|did not fall",
        ),
    ],
)
@pytest.mark.sampled(1)
def test_what_is_off_is_said_in_a_few_words(values: dict[str, Any], sign: str) -> None:
    training, observation, rule = trained(**values)
    assert re.search(sign, sign_of_trouble(training, observation, rule, []))


def test_a_training_far_behind_the_others_is_off() -> None:
    training, observation, rule = trained(stop="epochs(2)", step="sgd(lr=0.003)")
    own = skill(training)
    assert own is not None
    assert "far behind" in sign_of_trouble(
        training, observation, rule, [own, own + 5, own + 5]
    ) or (own < 0.05)
