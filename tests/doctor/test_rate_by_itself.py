"""A rate that is too high whatever else is mended is not folded under what else is wrong."""

from __future__ import annotations

import pytest

import sevensteps as ss
from sevensteps.doctor.finding import Finding

SCALED = 'speed(scale="standardize", target_scale="standardize")'


def findings(data: str, lr: float, initialize: str = "auto()", **steps: str) -> list[Finding]:
    steps = {"predict": "mlp(30)", "stop": "epochs(12)", **steps}
    return ss.train(
        data, initialize=initialize, step=f"sgd(lr={lr:g})", out=False, progress=False, **steps
    ).findings


def all_conditions(found: list[Finding]) -> list[str]:
    return [name for f in found for name in (f.condition, *all_conditions(f.symptoms))]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_no_scale_of_the_data_makes_it_stable(activation: str, momentum: float) -> None:
    """The squared error's curvature along the output's bias is 2, whatever the inputs are."""
    run = ss.train(
        "speed",
        predict=f'mlp(30, activation="{activation}")',
        step=f"sgd(lr={10 * (1 + momentum):g}, momentum={momentum:g})",
        stop="epochs(40)",
        out=False,
        progress=False,
    )
    assert run.findings[0].condition == "learning_rate_too_high"
    assert "inputs_unscaled" in {finding.condition for finding in run.findings}


def test_a_rate_that_scaling_makes_stable_is_a_symptom_of_the_scale() -> None:
    found = findings("speed", 0.05, predict="polynomial(2)", stop="epochs(100)")
    assert found[0].condition == "inputs_unscaled"
    assert "learning_rate_too_high" not in {finding.condition for finding in found}
    assert findings(SCALED, 0.05, predict="polynomial(2)", stop="epochs(100)") == []


@pytest.mark.parametrize("std", [0.5, 5.0])
def test_a_rate_that_usual_weights_do_not_bear(std: float) -> None:
    found = [finding.condition for finding in findings("digits", 10, f"normal({std:g})")]
    assert found == ["learning_rate_too_high", "output_overconfident"]


def test_a_rate_that_usual_weights_bear_is_a_symptom_of_large_ones() -> None:
    deep = "mlp(30, 30, 30, 30, 30)"
    found = findings("digits", 0.1, "normal(0.5)", predict=deep)
    assert [finding.condition for finding in found] == ["output_overconfident"]
    assert "not_finite" in all_conditions(found)
    assert found[0].severity == "error"  # what leads to an error is one
    assert findings("digits", 0.1, "kaiming_normal()", predict=deep) == []
