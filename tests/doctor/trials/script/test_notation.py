"""Interventions as text and back."""

from __future__ import annotations

import pytest
import torch

from sevensteps.doctor.trials.script.notation import (
    change_of,
    parse_change,
    parse_intervention,
    random_change,
)
from sevensteps.doctor.trials.script.of_calls import TakeOff
from sevensteps.doctor.trials.script.of_steps import LrTimes
from sevensteps.errors import NotationError


def test_a_change_comes_back_from_its_text() -> None:
    interventions = [LrTimes(0.25), TakeOff("softmax", "it's.py:3")]
    change = change_of(interventions)
    assert list(change) == ["step", "loss"]
    assert parse_change(change) == interventions


@pytest.mark.parametrize(
    "text", ["lr_times()", "lr_times(factor=open('x'))", "os.remove('x')", "nothing()", "1 +", ""]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(NotationError, match="no change of a script"):
        parse_intervention(text)


def test_a_change_at_random_is_of_the_same_steps() -> None:
    draw = torch.Generator().manual_seed(0)
    change = change_of([LrTimes(0.25), TakeOff("softmax", "a.py:3")])
    drawn = random_change(change, draw)
    assert drawn is not None
    assert drawn.keys() == change.keys()
    assert random_change({"step": "leftover_elsewhere(seed=1)"}, draw) is None
