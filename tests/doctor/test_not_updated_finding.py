"""How serious it is that parameters stand still: by their share, and by what is learned without."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.not_updated_finding import listed, not_updated_finding

pytestmark = pytest.mark.draws


def test_three_names_are_enough() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


@pytest.mark.parametrize("learns", [True, False])
def test_where_the_rest_learns_it_is_a_remark(learns: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(300, 4)
    y = (x[:, 0] > 0).long() if learns else torch.randint(2, (300,))
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(10) for part in torch.randperm(300).split(50)):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    case = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).case
    few, many, every = (
        not_updated_finding(case, ["0.weight"], share, 0.9, "", "", "", by_optimizer=by_optimizer)
        for share, by_optimizer in ((0.1, True), (0.5, False), (1.0, True))
    )
    severities = [few.severity, many.severity, every.severity]
    assert severities == (["info", "info", "error"] if learns else ["warning", "error", "error"])
    assert few.remedies[0].change
    assert not many.remedies[0].change
