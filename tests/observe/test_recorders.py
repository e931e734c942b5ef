"""The recorders of some networks see one step from inside, and can be taken off again."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sevensteps.observe.network_facts import NetworkFacts
from sevensteps.observe.observation import Observation
from sevensteps.observe.recorders import Recorders, target_of
from sevensteps.observe.step_recorder import raised
from sevensteps.observe.watched_networks import watched_networks


def recorders_of(networks: Any, optimizers: Any) -> Recorders:
    recorders = Recorders(Observation(NetworkFacts("", {}, {}, ())), 1.0, raised)
    recorders.examine(watched_networks(networks, optimizers))
    return recorders


def test_a_step_is_seen_between_arm_and_disarm() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorders = recorders_of(model, optimizer)
    recorders.arm(full=True)
    assert not recorders.saw_a_network
    y = torch.tensor([0, 1, 1, 0])
    loss = F.cross_entropy(model(torch.randn(4, 3)), y)
    loss.backward()
    optimizer.step()
    assert recorders.saw_a_network
    assert recorders.size().layers == 3
    look = recorders.look(0, loss, y, full=True)
    assert recorders.observation.looks == [look]
    assert (look.step, look.batch, look.stepped) == (0, 4, True)
    assert recorders.take_cost() > 0
    assert recorders.take_cost() == 0
    recorders.disarm()
    assert not recorders.hooks.armed


def test_parameters_that_are_new_are_recorded() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    recorders = recorders_of(model, None)
    model.append(nn.Linear(2, 2))
    recorders.arm(full=False)
    assert "1.weight" in recorders.observation.facts.parameters
    recorders.disarm()


@pytest.mark.parametrize(
    ("network", "last", "compared", "own"),
    [
        ("a", False, {}, 1),  # by name
        ("c", True, {}, {"a": 1, "b": 2}),  # all of them, to the last
        ("c", False, {}, None),
    ],
)
def test_each_network_has_its_part_of_the_targets(
    network: str, last: bool, compared: dict[str, str], own: Any
) -> None:
    assert target_of({"a": 1, "b": 2}, network, last, compared) == own


def test_targets_belong_to_the_network_that_they_were_compared_with() -> None:
    first, second = torch.zeros(2), torch.ones(2)
    compared = {"0": "x", "1": "z"}
    assert target_of((first, second), "x", False, compared) is first
    assert target_of((first, second), "z", False, compared) is second
