"""Samples that are averaged over each other until they are one, and a round that is no harm."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


class Rounds(nn.Module):
    """Nodes [N, 4] hear their neighbours `count` times between two layers: [N, 2]"""

    def __init__(self, neighbours: Tensor, count: int) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(4, 16), nn.Linear(16, 2)
        self.neighbours, self.count = neighbours, count

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(x).tanh()
        for _ in range(self.count):
            h = self.neighbours @ h
        out: Tensor = self.out(h)
        return out


@pytest.mark.parametrize(("count", "named"), [(60, True), (1, False)])
def test_many_rounds_over_a_graph(count: int, named: bool) -> None:
    torch.manual_seed(0)
    y = torch.arange(80) % 2
    joined = (torch.rand(80, 80) < 0.05 + 0.2 * (y[:, None] == y)).float()
    neighbours = joined + joined.T + torch.eye(80)
    model = Rounds(neighbours / neighbours.sum(1, keepdim=True), count)
    x = torch.randn(80, 4) + y[:, None]
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(150):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    findings = [f.condition for f in watch.diagnose().findings if f.severity != "info"]
    assert findings == (["representation_collapsed"] if named else [])
