"""Numbers of a run, against the network called by hand."""

from __future__ import annotations

import pytest
import torch

from sevensteps.explain.run_numbers import RunNumbers
from tests.explain.conftest import Runs


def test_sample_0_on_its_way_through_the_network(runs: Runs) -> None:
    run = runs("digits")
    numbers, valid = RunNumbers(run.explain.subject), run.explain.subject.data.valid
    with torch.no_grad():
        outputs = run.network(valid.x)
    assert torch.equal(numbers.sample_input, valid.x[:1])  # type: ignore[arg-type]
    assert int(numbers.sample_target) == int(valid.y[0])
    torch.testing.assert_close(numbers.sample_output, outputs[0].double(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(numbers.valid_outputs, outputs, rtol=1e-5, atol=1e-5)
    assert [layer.name for layer in numbers.linear_passes] == ["layer1", "output"]
    (activation,) = numbers.activation_passes
    torch.testing.assert_close(activation.output, activation.input.relu())
    assert torch.equal(numbers.linear_passes[1].input, activation.output)


def test_inputs_and_units_that_are_dead_are_counted(runs: Runs) -> None:
    run = runs("digits")
    numbers, x = RunNumbers(run.explain.subject), run.explain.subject.data.train.x
    with torch.no_grad():
        hidden = run.network[:2](x)
    dead = numbers.dead_units
    assert dead is not None
    assert (dead.dead, dead.units) == (int((hidden <= 0).all(0).sum()), 12)
    assert numbers.dead_inputs == int((x == 0).all(0).sum())  # type: ignore[union-attr]
    assert RunNumbers(runs("iris").explain.subject).dead_units is None  # sigmoids never die


@pytest.mark.parametrize(
    ("name", "metric"), [("digits", "accuracy"), ("diabetes", "r2"), ("labels", "accuracy")]
)
def test_the_score_is_the_metric_of_the_last_evaluation(name: str, metric: str, runs: Runs) -> None:
    numbers = RunNumbers(runs(name).explain.subject)
    assert numbers.metric == metric
    assert numbers.score == runs(name).metrics["valid"][metric]


def test_a_run_without_steps_has_no_first_one(runs: Runs) -> None:
    assert RunNumbers(runs("similarity").explain.subject).first_step is None
    digits = RunNumbers(runs("digits").explain.subject)
    assert digits.first_step is not None
    assert digits.batch_size == digits.first_step.size
