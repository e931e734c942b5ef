"""Samples that are fed in another order of their numbers than they are judged in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.fed_data import fed_in_another_order

pytestmark = pytest.mark.draws


@pytest.mark.parametrize(
    ("feed", "named"),
    [
        (lambda x: x.reshape(-1, 6, 10), True),
        (lambda x: x.transpose(1, 2), False),
        (lambda x: x.transpose(1, 2).flip(2) if torch.rand(()) < 0.5 else x.transpose(1, 2), False),
    ],
    ids=["viewed", "transposed", "flipped at times"],
)
@pytest.mark.sampled(1)
def test_a_view_where_axes_were_to_be_moved(feed: Callable[[Tensor], Tensor], named: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        y = torch.randint(3, (300,))
        x = 0.3 * torch.randn(300, 10, 6)
        x[torch.arange(300), :, y] += torch.linspace(0, 2, 10)
        model = nn.Sequential(nn.Conv1d(6, 16, 3), nn.ReLU(), nn.AdaptiveMaxPool1d(1))
        model.extend([nn.Flatten(), nn.Linear(16, 3)])
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        with ss.watch(model, optimizer, budget=1.0) as watch:
            for _ in range(6):
                for chosen in torch.randperm(300).split(30):
                    loss = F.cross_entropy(model(feed(x[chosen])), y[chosen])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    watch.step(loss, target=y[chosen])
    diagnosis = watch.diagnose(train=(x.transpose(1, 2).contiguous(), y), loss_fn=F.cross_entropy)
    assert bool(fed_in_another_order(diagnosis.case)) == named
    assert ("inputs_scrambled" in [f.condition for f in diagnosis.findings]) == named
