"""Validation targets that are sums of what was learned are named, and those as learned are not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss

pytestmark = pytest.mark.draws


@pytest.mark.parametrize("corners", [False, True])
def test_answers_whose_sums_are_asked_for(corners: bool) -> None:
    """Taught where a line begins and how long it is; asked for that, or for both of its ends."""
    torch.manual_seed(0)
    x = torch.randn(500, 4)
    y = torch.stack([x[:, 0], 3 + x[:, 1]], 1) + 0.1 * torch.randn(500, 2)
    asked = torch.stack([y[:, 0], y.sum(1)], 1) if corners else y
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    with ss.watch(model, optimizer) as watch:
        for rows in torch.arange(300).repeat(20).split(30):
            loss = F.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    data = {"train": (x[:300], y[:300]), "valid": (x[300:], asked[300:]), "loss_fn": F.mse_loss}
    findings = watch.diagnose(**data).findings
    assert ("train_valid_mismatch" in {f.condition for f in findings}) == corners
