"""Layer calls against the layers themselves: used twice, working in place, failing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine.layer_calls import capture_outputs, leaf_modules


def test_each_call_has_what_went_in_and_what_came_out(build: Any) -> None:
    shared = build(lambda: nn.Linear(3, 3))
    network = nn.Sequential(shared, nn.Tanh(), shared)
    x = torch.ones(2, 3, dtype=torch.float64)
    output, calls = capture_outputs(network, x, [("shared", shared), ("tanh", network[1])])
    assert [call.name for call in calls] == ["shared", "tanh", "shared"]
    assert torch.equal(calls[0].input, x)
    for before, after in pairwise(calls):
        assert after.input is before.output
        assert torch.equal(after.output, after.module(after.input))
    assert output is calls[-1].output
    assert not any(module._forward_hooks for module in network.modules())


def test_copies_are_from_before_a_layer_that_works_in_place() -> None:
    network = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    x = torch.tensor([[-1.0, 2.0]])
    _, calls = capture_outputs(network, x.clone(), copy=True)
    assert [name for name, _ in leaf_modules(network)] == [call.name for call in calls]
    assert torch.equal(calls[0].output, x)
    assert torch.equal(calls[1].input, x)
    assert calls[1].output.tolist() == [[0, 2]]
    _, overwritten = capture_outputs(network, x.clone())
    assert overwritten[0].output.tolist() == [[0, 2]]


@pytest.mark.draws
def test_gradients_pass_and_no_hook_stays_where_a_layer_fails() -> None:
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("no")

    network = nn.Sequential(nn.Linear(2, 2), Fails())
    with pytest.raises(RuntimeError, match=r"^no$"):
        capture_outputs(network, torch.ones(1, 2))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    output, calls = capture_outputs(network[0], torch.ones(1, 2))
    assert calls[0].name == "Linear"
    assert calls[0].output is output
    assert output.requires_grad
