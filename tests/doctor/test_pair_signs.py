"""Near and far that are exchanged, in losses that take distances or likeness for logits."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.pair_signs import pair_sign

pytestmark = pytest.mark.draws

X = torch.randn(300, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("by_distance", [True, False])
def test_logits_are_large_for_what_belongs_together(by_distance: bool, sign: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(300).repeat(2).split(30):
            one, other = (network(X[rows] + 0.1 * torch.randn(30, 6)) for _ in range(2))
            if by_distance:
                likeness = -torch.cdist(one, other)
            else:
                likeness = F.normalize(one, dim=1) @ F.normalize(other, dim=1).T / 0.2
            logits = likeness if sign > 0 else -likeness
            loss = F.cross_entropy(logits, torch.arange(30))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    finding = pair_sign(watch.diagnose().case)
    assert (finding is not None) == (sign < 0)
