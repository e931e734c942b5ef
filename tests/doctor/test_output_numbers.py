"""Outputs that do not fit their loss, by their numbers alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.output_numbers import mismatch_by_outputs

pytestmark = pytest.mark.draws


@pytest.mark.parametrize(
    ("ending", "advice"),
    [
        (nn.Softmax(1), "take the softmax off the network"),
        (nn.Tanh(), "take the tanh off"),
        (nn.ReLU(), "take the ReLU off"),
        (nn.Identity(), None),
    ],
    ids=["softmax", "tanh", "relu", "logits"],
)
@pytest.mark.sampled(1)
def test_endings_before_cross_entropy(ending: nn.Module, advice: str | None) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 4), ending)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with ss.watch(model, optimizer, budget=1.0) as watch:
            for _ in range(12):
                y = torch.randint(4, (32,))
                loss = F.cross_entropy(model(torch.randn(32, 5)), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
    finding = mismatch_by_outputs(watch.diagnose().case)
    assert (finding is None) == (advice is None)
    if finding is not None and advice is not None:
        assert str(finding.remedies[0].advice).startswith(advice)
