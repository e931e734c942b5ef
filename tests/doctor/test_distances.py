"""An output that is a distance is not read as a yes where it is large."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


class Distance(nn.Module):
    """How far the code of a machine's sounds lies from that of usual ones: [B, 6] -> [B]"""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x: Tensor) -> Tensor:
        distances: Tensor = self.code(x).square().sum(1)
        return distances


def near_or_far(distance: Tensor, usual: Tensor) -> Tensor:
    return (usual * distance + (1 - usual) * torch.relu(4 - distance)).mean()


def yes_or_no(score: Tensor, usual: Tensor) -> Tensor:
    return (usual * torch.relu(4 - score) + (1 - usual) * score).mean()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("distances", [True, False])
def test_usual_sounds_that_come_to_lie_near(distances: bool, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 6)
    usual = (x.square().sum(1) < 5).float()
    network = Distance()
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    loss_fn = near_or_far if distances else yes_or_no
    with ss.watch(network, optimizer) as watch:
        for _ in range(15):
            for rows in torch.randperm(600).split(30):
                loss = loss_fn(network(x[rows]), usual[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=usual[rows])
    diagnosis = watch.diagnose(train=(x, usual), loss_fn=loss_fn)
    assert diagnosis.case.read_otherwise is distances
    if distances:
        assert not diagnosis.findings
