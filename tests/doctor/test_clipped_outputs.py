"""Outputs that lie at the ends of a clamp are told from those that a wide one lets through."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss


@pytest.mark.draws
@pytest.mark.parametrize(("bound", "accused"), [(0.01, True), (20.0, False)])
def test_outputs_that_are_clipped_before_a_loss_of_classes(bound: float, accused: bool) -> None:
    class Clipped(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).clamp(-bound, bound)

    torch.manual_seed(0)
    x = torch.randn(256, 8)
    y = (x[:, :3] > 0).float()
    model = Clipped(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(12) for part in torch.randperm(256).split(32)):
            loss = F.binary_cross_entropy_with_logits(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    found = watch.diagnose(train=(x, y)).findings
    assert ("output_loss_mismatch" in [f.condition for f in found]) is accused
