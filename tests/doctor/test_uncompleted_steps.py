"""Why not one step of a script's training was completed."""

from __future__ import annotations

import pytest

from sevensteps.doctor.uncompleted_steps import why_no_step

PLACES = {"backward": "a.py:3", "step": "a.py:4", "clear": "a.py:5"}


@pytest.mark.parametrize(
    ("order", "condition", "words"),
    [
        (("clear", "backward"), "parameters_not_updated", "no optimizer ever took a step"),
        (("clear", "step"), "parameters_not_updated", "loss.backward() never did"),
        (("clear", "step", "backward"), "gradient_discarded", "comes before loss.backward()"),
        (("step", "clear", "backward"), "gradient_discarded", "comes before loss.backward()"),
        (("backward", "clear", "step"), "gradient_discarded", "comes between loss.backward()"),
    ],
)
def test_each_order_has_its_words(order: tuple[str, ...], condition: str, words: str) -> None:
    finding = why_no_step(dict.fromkeys(order, 20), PLACES, order, "opt")
    assert finding is not None
    assert (finding.condition, finding.severity) == (condition, "error")
    assert words in finding.explanation
    assert "a.py:" in finding.explanation
    assert "opt.step()" in finding.explanation + finding.remedies[0].advice


@pytest.mark.parametrize(
    ("counts", "order"),
    [
        ({"backward": 1}, ("backward",)),
        ({}, ()),
        ({"backward": 20, "scale": 20}, ("backward",)),
        ({"backward": 20, "step": 20}, ("backward", "step")),
        ({"backward": 20, "step": 20, "clear": 20}, ("clear", "backward", "step")),
    ],
)
def test_what_may_be_right_is_not_accused(counts: dict[str, int], order: tuple[str, ...]) -> None:
    assert why_no_step(counts, PLACES, order, "opt") is None
