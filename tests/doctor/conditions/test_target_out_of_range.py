"""Targets that a loss cannot take for what they are meant to be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.target_out_of_range import examine
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws

X = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
LOSSES = {
    "cosine_embedding_loss": lambda a, b, y: F.cosine_embedding_loss(a, b, y),
    "margin_ranking_loss": lambda a, b, y: F.margin_ranking_loss(a[:, 0], b[:, 0], y, margin=0.5),
    "soft_margin_loss": lambda a, _, y: F.soft_margin_loss(a[:, 0], y),
    "hinge_embedding_loss": lambda a, b, y: F.hinge_embedding_loss((a - b).norm(dim=1), y),
}


def trained(loss_fn: Any, coded: Any) -> Finding | None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(400).repeat(3).split(40):
            one, two = X[rows], X[rows.flip(0)]
            y: Tensor = coded((one[:, 0] > two[:, 0]).float())
            loss = loss_fn(network(one), network(two), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    case: Any = watch.diagnose().case
    return examine(case)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.sampled(1)
def test_losses_of_two_signs_take_no_0_for_the_other_side(name: str) -> None:
    finding = trained(LOSSES[name], lambda y: y)
    assert finding is not None
    assert f"The targets of {name} are 0 and 1" in finding.explanation
    assert trained(LOSSES[name], lambda y: 2 * y - 1) is None


def test_a_0_beside_both_signs_is_left_out_on_purpose() -> None:
    def with_some_left_out(y: Tensor) -> Tensor:
        return (2 * y - 1) * (torch.arange(len(y)) % 4 > 0)

    assert trained(LOSSES["soft_margin_loss"], with_some_left_out) is None
