"""Few steps of the usual length are told from steps that are too short."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import learning_rate_too_low
from sevensteps.doctor.measures import few_usual_steps, is_short
from sevensteps.observe.look import Change, Look
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws


def case_of(steps: int, update: float) -> Case:
    """A training whose loss falls slowly in a line, of so many steps of this |Δw| / |w|."""
    model = nn.Linear(2, 2)
    facts = network_facts(model, [torch.optim.Adam(model.parameters(), 1e-3)])
    norms: Tensor = torch.ones(2)
    looks = [
        Look(step, 2.3, (1e-3,), changes={"weight": Change(norms, norms, update * norms)})
        for step in (0, steps - 1)
    ]
    observation = Observation(facts, looks=looks)
    observation.losses = [(step, 2.3 - 0.1 * step / steps) for step in range(steps)]
    observation.steps = steps
    observation.record_rate(0, 1e-3)
    case = Case(observation)
    vars(case)["loss_is_error"] = True
    vars(case)["skill"] = 0.0
    return case


@pytest.mark.parametrize(
    ("steps", "update", "few", "short"),
    [
        (100, 2e-3, True, True),
        (900, 5e-3, True, False),  # it has left its start
        (100, 1e-6, False, False),  # its steps are too short
        (5000, 1e-3, False, False),
    ],
)
def test_few_steps_of_the_usual_length(steps: int, update: float, few: bool, short: bool) -> None:
    case = case_of(steps, update)
    assert few_usual_steps(case) is few
    assert is_short(case) is short
    assert (learning_rate_too_low.examine(case) is None) is short
