"""Examples of the words for a training, against the run's own numbers."""

from __future__ import annotations

import pytest

import sevensteps as ss
from tests.explain.words.conftest import numbers


def test_the_learning_rate_moved_a_weight(run: ss.Run) -> None:
    found, step = numbers(run, "learning rate"), run.explain.steps(0)
    assert found == {
        "lr": 0.1,
        "weight": step.weight.name,
        "old": step.weight.old,
        "new": step.weight.new,
    }
    assert found["new"] == pytest.approx(found["old"] - 0.1 * step.weight.gradient, rel=1e-5)
