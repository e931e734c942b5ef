"""A target broadcast within the loss, of a part of the output too."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


def conditions(compute: Callable[[Tensor], Tensor]) -> dict[str, str]:
    """What is found in three steps with the loss `compute(output)`, output [16, 2]."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with warnings.catch_warnings(), ss.watch(model, optimizer, budget=1.0) as watch:
        warnings.simplefilter("ignore")
        for _ in range(3):
            loss = compute(model(torch.randn(16, 6)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return {finding.condition: finding.explanation for finding in watch.diagnose().findings}


ACTIONS = (torch.arange(16) % 2)[:, None]
VALUES = torch.linspace(-1, 1, 16)


def test_the_value_of_an_action_against_targets_of_another_shape() -> None:
    said = conditions(lambda q: F.smooth_l1_loss(q.gather(1, ACTIONS), VALUES))
    assert "smooth_l1_loss in test_target_shape_mismatch.py:" in said["target_shape_mismatch"]
    assert "[16, 16]" in said["target_shape_mismatch"]


@pytest.mark.parametrize(
    "compute",
    [
        lambda q: F.smooth_l1_loss(q.gather(1, ACTIONS), VALUES[:, None]),
        lambda q: F.smooth_l1_loss(q.gather(1, ACTIONS)[:, 0], VALUES),
        lambda q: F.mse_loss(q, VALUES[:, None]),  # one target for both outputs of a sample
        lambda q: F.mse_loss(q, torch.tensor(1.0)),
    ],
    ids=["cured", "squeezed", "one target a row", "one target"],
)
def test_shapes_that_compare_a_sample_with_its_own_target(
    compute: Callable[[Tensor], Tensor],
) -> None:
    assert "target_shape_mismatch" not in conditions(compute)
