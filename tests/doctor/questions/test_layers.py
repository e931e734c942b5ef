"""What went into each layer and came out of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.asker import put
from sevensteps.doctor.questions.layers import passages
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws


def test_layers_come_in_the_order_in_which_they_end() -> None:
    network = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Linear(3, 1))
    x = torch.randn(10, 2)
    known = Case(Observation(network_facts(network)), network, train=(x, x))
    calls: Any = put(known, "here", lambda asker: passages(asker, asker.inputs))
    assert calls is not None
    assert [call.layer for call in calls] == ["0.0", "0.1", "0", "1"]
    first, relu, whole, last = calls
    assert torch.equal(first.input, x)
    assert torch.equal(relu.output, first.output.relu())
    assert torch.equal(whole.output, last.input)
    assert type(last.module) is nn.Linear
    assert all(not module._forward_hooks for module in network.modules())
