"""How far copies come, as a share of the way to perfect answers, within a bound of time."""

from __future__ import annotations

import math

import pytest

from sevensteps.doctor.plain_training.copy_training import Plan
from sevensteps.doctor.plain_training.experiment import ALL, NAME, TRAINING, experiment_of
from tests.doctor.plain_training.trainings import trained

pytestmark = pytest.mark.draws


def test_shares_are_those_of_the_way_from_an_ignorant_answer() -> None:
    case = trained("classes", lr=1e-6).case
    experiment = experiment_of(case)
    assert experiment is not None
    assert experiment.own < 0.1
    assert experiment.ignorant == case.baseline_score
    assert experiment.share(1.0) == 1.0
    assert experiment.share(experiment.ignorant) == experiment.share(math.nan) == 0.0
    assert experiment.share(-5.0) == 0.0
    reached = experiment.reached(Plan(100))
    assert reached is not None
    assert reached > 0.4


def test_there_is_time_for_a_few_trainings() -> None:
    experiment = experiment_of(trained("classes", lr=1e-6).case)
    assert experiment is not None
    assert experiment.steps * experiment.seconds <= TRAINING
    plans = [Plan(experiment.steps, seed=seed) for seed in range(20)]
    values = [experiment.value(plan) for plan in plans]
    done = sum(value is not None for value in values)
    assert done == int(ALL / (experiment.steps * experiment.seconds))
    assert experiment.cut_short
    assert experiment.value(plans[0]) == values[0]  # known already


def test_a_slow_network_is_left_alone_and_it_is_said() -> None:
    case = trained("sequences", steps=30).case
    assert case.train is not None
    case.hand_over("train", (case.train[0].repeat(1, 20, 1), case.train[1]))
    assert experiment_of(case, fails=False) is None
    assert NAME not in dict(case.not_judged)
    assert experiment_of(case) is None
    assert "too long to repeat" in dict(case.not_judged)[NAME]
