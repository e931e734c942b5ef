"""What interventions share: directions at random, and their text."""

from __future__ import annotations

import torch

from sevensteps.doctor.trials.script.base import notation_of, random_direction, random_power
from sevensteps.doctor.trials.script.of_steps import LrTimes


def test_a_direction_at_random_has_its_length() -> None:
    draw = torch.Generator().manual_seed(0)
    tensor = torch.zeros(200)
    directions = torch.stack([random_direction(tensor, draw, torch.tensor(3.0)) for _ in range(50)])
    assert torch.allclose(directions.norm(dim=1), torch.full((50,), 3.0), atol=1e-4)
    assert directions.mean(0).norm() < 1.0  # about 3 / sqrt(50): they point anywhere


def test_powers_lie_between_minus_one_and_one() -> None:
    draw = torch.Generator().manual_seed(0)
    powers = [random_power(draw) for _ in range(200)]
    assert -1 <= min(powers) < -0.9
    assert 0.9 < max(powers) <= 1


def test_an_intervention_as_text_has_its_arguments() -> None:
    assert notation_of(LrTimes(0.5), "lr_times") == "lr_times(factor=0.5)"
