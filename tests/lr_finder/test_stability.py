"""The edge of stability by hand: 2/λ, with momentum, Nesterov's and weight decay."""

from __future__ import annotations

import pytest

from sevensteps.lr_finder.stability import describe_sharpness, largest_stable_rate
from sevensteps.steps.step import Optimizer, adam, sgd


@pytest.mark.parametrize(
    ("step", "edge"),
    [
        (sgd(lr=1.0), 0.5),
        (sgd(lr=1.0, weight_decay=4.0), 0.25),
        (sgd(lr=1.0, momentum=0.9), 0.95),
        (adam(), None),
    ],
)
def test_the_largest_stable_rate(step: Optimizer, edge: float | None) -> None:
    assert largest_stable_rate(step, 4.0) == (None if edge is None else pytest.approx(edge))
    assert largest_stable_rate(step, None) is None


def test_the_sentence_names_the_formula_and_compares_the_suggestion() -> None:
    plain = describe_sharpness(sgd(lr=1.0), 4.0, 0.5, 0.25, suggestion=1.0)
    assert plain.reading == (
        "2/λ = 0.5 at the start: up to there full-batch descent is stable; the suggestion is 2 "
        "times that. After training at it, 2/λ = 0.25."
    )
    momentum = describe_sharpness(sgd(lr=1.0, momentum=0.9), 4.0, 0.95, None, suggestion=1.0)
    assert momentum.reading.startswith("2(1+m)/λ = 0.95 at the start")
    unknown = describe_sharpness(sgd(lr=1.0), None, None, None, suggestion=1.0)
    assert "could not be computed" in unknown.reading
    assert "does not apply: adam" in describe_sharpness(adam(), None, None, None, 1.0).reading
