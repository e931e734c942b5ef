"""A part of a network that stands still by rounding is named, however well the rest learns."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


class Scale(nn.Module):
    """A gain of each column, which starts at 1, and an offset."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.offset = nn.Parameter(torch.ones(8)), nn.Parameter(torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain + self.offset


@pytest.mark.parametrize(
    ("dtype", "lr", "named"),
    [(torch.bfloat16, 1e-3, True), (torch.bfloat16, 1e-2, False), (torch.float32, 1e-3, False)],
)
def test_gains_that_stand_still_beside_offsets_that_learn(
    dtype: torch.dtype, lr: float, named: bool
) -> None:
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    y = (1.2 * x + 0.5).to(dtype)
    model = Scale().to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    with ss.watch(model, optimizer) as watch:
        for few in (part for _ in range(8) for part in torch.randperm(256).split(32)):
            loss = F.mse_loss(model(x[few].to(dtype)), y[few])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[few])
    names = [f.condition for f in watch.diagnose().findings if f.severity != "info"]
    assert ("updates_rounded_away" in names) is named
