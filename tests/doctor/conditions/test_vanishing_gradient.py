"""The sentence of a gradient that vanishes says when it began, and agrees with its numbers."""

from __future__ import annotations

import pytest

import sevensteps as ss
from sevensteps.doctor.finding import Finding


def findings(**steps: str) -> list[Finding]:
    run = ss.train("digits", stop="epochs(12)", out=False, progress=False, **steps)
    return run.findings


def of(condition: str, found: list[Finding]) -> Finding | None:
    for finding in found:
        if finding.condition == condition:
            return finding
        if (below := of(condition, finding.symptoms)) is not None:
            return below
    return None


def test_what_long_steps_made_of_it_did_not_begin_at_the_start() -> None:
    deep = 'mlp(30, 30, 30, 30, 30, activation="tanh")'
    found = findings(initialize="normal(0.5)", predict=deep, step="sgd(lr=10)")
    vanishing = of("vanishing_gradient", found)
    assert found[0].condition == "learning_rate_too_high"
    assert vanishing is not None
    assert vanishing.onset != 0
    assert vanishing.explanation.startswith(("From step", "By the end"))


def test_what_sigmoids_make_of_it_began_at_the_start() -> None:
    deep = 'mlp(30, 30, 30, 30, 30, 30, activation="sigmoid")'
    found = findings(initialize="normal(0.1)", predict=deep, step="sgd(lr=0.1)")
    vanishing = of("vanishing_gradient", found)
    assert vanishing is not None
    assert vanishing.onset == 0
    assert vanishing.explanation.startswith("On its way back")


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_large_weights_saturate_and_no_gradient_is_said_to_vanish_that_does_not(
    activation: str,
) -> None:
    deep = f'mlp(30, 30, 30, activation="{activation}")'
    found = findings(initialize="normal(5)", predict=deep, step="sgd(lr=0.1)")
    saturated = of("saturated_units", found)
    assert saturated is not None
    assert found[0] is saturated
    passed = [m.observed for m in saturated.evidence if m.measure.startswith("|gradient|")]
    assert (passed[0] > 0.1) == ("vanishes" not in saturated.explanation)
