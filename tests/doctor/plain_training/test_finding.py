"""What copies that were trained anew add to a diagnosis."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sevensteps.doctor.finding import Finding
from sevensteps.doctor.plain_training.finding import DOUBTED, NAMED, OF_STEP, add_plain_training
from tests.doctor.plain_training.trainings import drowned_in_noise, low_biases, trained

pytestmark = pytest.mark.draws


def other(condition: str, severity: Any = "warning", confidence: float = 0.7) -> Finding:
    return Finding(condition, "predict", severity, confidence, "So it is.", [])


def test_a_cause_that_no_condition_names_is_named_with_what_was_tried() -> None:
    case = trained("classes", start=low_biases).case
    finding = add_plain_training(case, [other("does_not_learn")])[0]
    assert (finding.condition, finding.step) == ("dead_units", "predict")
    assert finding.confidence == NAMED
    assert "trained anew in a plain way" in finding.explanation
    assert "with the weights as large as they were at the start" in finding.explanation
    assert "the start is to blame" in finding.explanation
    assert finding.where["parameters"] == ["0.bias", "2.bias"]
    assert finding.evidence[0].observed < finding.evidence[1].observed + 0.2
    assert "reset_parameters()" in finding.remedies[0].advice


@pytest.mark.parametrize("kind", ["classes", "numbers", "pictures"])
def test_a_loop_that_spoils_its_gradients_falls_short_of_a_copy(kind: str) -> None:
    findings = trained(kind, before_step=drowned_in_noise).diagnosis.findings
    first = findings[0]
    assert (first.condition, first.step) == ("underfitting", "gradient")
    assert first.confidence == OF_STEP
    assert "what the loop does between" in first.explanation
    assert all(finding.confidence <= DOUBTED for finding in findings[1:])
    assert [f.condition for f in findings].count("underfitting") == 1


def test_that_a_copy_learns_no_more_is_said_of_what_does_not_learn() -> None:
    case = trained("classes", inputs=torch.randn_like).case
    unnamed = other("does_not_learn", confidence=0.3)
    assert add_plain_training(case, [unnamed]) == [unnamed]
    assert "hardly the start, the optimizer or the order" in unnamed.explanation
    assert unnamed.confidence == 0.3


def test_what_others_have_named_stays() -> None:
    case = trained("classes", lr=1e-6).case
    named = [other("learning_rate_too_low")]
    assert add_plain_training(case, named) == named
    case.before_training = True
    assert add_plain_training(case, [other("does_not_learn")])[0].condition == "does_not_learn"


def test_a_healthy_training_stays_healthy() -> None:
    diagnosis = trained("pictures").diagnosis
    assert diagnosis.findings == []
    assert diagnosis.not_judged == []
