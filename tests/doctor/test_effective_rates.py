"""The rates by which steps are taken are those that the optimizer divides by itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.effective_rates import decays_by_itself, effective_rates
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation


@pytest.mark.draws
@pytest.mark.parametrize("lr_decay", [0.0, 0.1])
def test_adagrad_takes_the_steps_that_are_worked_out(lr_decay: float) -> None:
    network = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.Adagrad(network.parameters(), 0.5, lr_decay=lr_decay)
    observation = Observation(network_facts(network, [optimizer]), steps=50)
    observation.record_rates(0, torch.full((50,), 0.5, dtype=torch.float64))
    case = Case(observation, network)
    assert decays_by_itself(case) is (lr_decay > 0)
    rates = dict(effective_rates(case))
    for step in range(50):
        network.weight.grad = torch.ones(1, 1)
        before = network.weight.item()
        optimizer.step()
        taken = (before - network.weight.item()) * (step + 1) ** 0.5  # its gradients are all 1
        assert taken == pytest.approx(rates.get(step, 0.5), rel=1e-3)
