"""A perceptron is told what no learning rate changes: that no straight line will do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import sevensteps as ss
from sevensteps.doctor.finding import Finding, Remedy
from sevensteps.doctor.perceptron import _separable
from sevensteps.doctor.trials.trial import Trial
from tests.helpers.seeds import five_seeds


def conditions(data: Any, predict: str = 'neuron("step")', **steps: Any) -> list[str]:
    run = ss.train(data, predict=predict, out=False, progress=False, **steps)
    return [finding.condition for finding in run.findings]


@pytest.mark.parametrize("data", ["xor", "xor(n=4, noise=0)", "circles"])
@pytest.mark.parametrize("lr", [0.1, 1.0])
@pytest.mark.sampled(2)
def test_what_no_line_separates_is_too_small_at_any_rate(data: str, lr: float) -> None:
    run = ss.train(data, predict='neuron("step")', step=ss.sgd(lr=lr), out=False, progress=False)
    finding = run.findings[0]
    assert finding.condition == "too_small"
    assert finding.explanation.startswith("No straight line separates these two classes")
    assert "learning_rate_too_high" not in [f.condition for f in run.findings]


def test_a_step_without_a_slope_is_no_failure() -> None:
    run = ss.train("xor", predict='neuron("step")', out=False, progress=False)
    reasons = dict(ss.diagnose(run).not_judged)
    assert reasons["probe"] == "the loss has no gradient, as behind a step function"


@five_seeds
@pytest.mark.sampled(2)
def test_a_line_at_chance_on_what_no_line_separates_was_not_stopped_early(seed: int) -> None:
    run = ss.train("xor", predict="linear()", seed=seed, out=False, progress=False)
    (finding, *_) = run.findings
    assert finding.condition == "too_small"
    below = [symptom.condition for symptom in finding.symptoms]
    assert "stopped_early" not in [*below, *(f.condition for f in run.findings)]


@pytest.mark.parametrize("data", ["and", "or", "not", 'logic("and", n=4, noise=0)'])
@pytest.mark.sampled(1)
def test_what_a_line_separates_is_well(data: str) -> None:
    assert conditions(data) == []


def test_classes_that_only_overlap_are_not_too_large_for_a_line() -> None:
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(300) % 2
    x = torch.randn(300, 2, generator=draw) + 1.5 * y[:, None]
    data = ss.data.from_arrays(x, y)
    assert "too_small" not in conditions(data)
    assert "too_small" not in conditions(data, "linear()")


def test_the_linear_program() -> None:
    table = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]).double()
    for answers, separable in (([0, 0, 0, 1], True), ([0, 1, 1, 0], False), ([1, 0, 0, 0], True)):
        assert _separable(table, torch.tensor(answers) > 0) is separable


def trial(after: float) -> Trial:
    change = {"step": "sgd(lr=0.1)"}
    return Trial("learning_rate_too_high", change, "accuracy", 0.01, [0], [0.5], [after])


def test_a_finding_whose_remedies_all_failed_is_refuted() -> None:
    remedies = [Remedy({"step": "sgd(lr=0.1)"}, "shorter"), Remedy({}, "in words")]
    finding = Finding("learning_rate_too_high", "step", "error", 0.9, "Too high.", [], remedies)
    assert not finding.refuted
    finding.trials = [trial(0.5)]
    assert finding.refuted
    finding.trials = [trial(0.5), trial(0.9)]
    assert not finding.refuted


def test_a_value_that_is_in_place_is_no_remedy() -> None:
    run = ss.train("speed", out=False, progress=False, stop="epochs(5)")
    steps = {step: repr(value) for step, value in run.recipe.steps.items()}
    for finding in run.findings:
        for remedy in finding.remedies:
            assert not remedy.change or any(
                steps.get(step) != text for step, text in remedy.change.items()
            )
