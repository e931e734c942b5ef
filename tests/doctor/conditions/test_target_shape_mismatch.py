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


@pytest.mark.parametrize(
    "columns",
    [
        lambda q: ((q[:, ACTIONS[:, 0]] - VALUES) ** 2).mean(),
        lambda q: F.mse_loss(q.index_select(1, ACTIONS[:, 0]), VALUES.expand(16, 16)),
        lambda q: -(q.log_softmax(1)[:, ACTIONS[:, 0]] * VALUES).mean(),
    ],
    ids=["an error by hand", "an error by a function", "a policy"],
)
def test_columns_of_all_rows_in_place_of_one_of_each(columns: Callable[[Tensor], Tensor]) -> None:
    said = conditions(columns)
    assert "takes of [16, 2] the columns of all 16 samples" in said["target_shape_mismatch"]


@pytest.mark.parametrize(
    "columns",
    [
        lambda q: ((q[torch.arange(16), ACTIONS[:, 0]] - VALUES) ** 2).mean(),
        lambda q: (q[:, torch.tensor([1, 0])] - VALUES[:, None]).square().mean(),
        lambda q: F.cross_entropy(q[:, ACTIONS[:, 0]], torch.arange(16)),
    ],
    ids=["one of each row", "columns in another order", "a choice among all"],
)
def test_an_index_that_is_meant_so(columns: Callable[[Tensor], Tensor]) -> None:
    assert "target_shape_mismatch" not in conditions(columns)
