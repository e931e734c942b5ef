"""Several steps in one table: its numbers are those of the single steps."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.explain.one_step.series import MAX_STEPS
from tests.explain.one_step.trainings import trained


def test_each_row_is_a_step() -> None:
    run, history = trained(step="sgd(lr=0.1)")
    series = run.explain.steps([5, 0, 1])
    assert series.steps == tuple(run.explain.steps(at) for at in (0, 1, 5))
    lines = str(series).splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if line[:6].strip().isdigit()]
    assert [int(row[0]) for row in rows] == [0, 1, 5, 0, 1, 5]
    assert [float(row[3]) for row in rows[:3]] == pytest.approx(
        [history.losses[at] for at in (0, 1, 5)], rel=1e-3
    )
    assert [step["at"] for step in series.to_dict()["steps"]] == [0, 1, 5]


def test_a_rule_without_a_gradient_promises_nothing() -> None:
    run, _ = trained("and", predict="neuron('step')")
    assert "it promises no fall" in " ".join(str(run.explain.steps([0, 1])).split())


def test_the_picture_has_the_loss_before_and_after_each(tmp_path: Path) -> None:
    run, _ = trained()
    series = run.explain.steps([0, 3])
    figure = series.plot(tmp_path / "steps.png")
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == pytest.approx(
        [step.losses[place] for place in (0, 1) for step in series.steps]
    )


def test_none_too_many_and_one_that_was_not_taken_are_refused() -> None:
    run, _ = trained()
    for places, message in (
        ([], "not 0"),
        (range(MAX_STEPS + 1), f"not {MAX_STEPS + 1}"),
        ([0, 99], "there is no step 99"),
    ):
        with pytest.raises(ss.errors.ArgumentError, match=message):
            run.explain.steps(places)
