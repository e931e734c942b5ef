"""Hints for inner numbers that outweigh what the network is for; gentle ones are not accused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor.conditions.loss_terms_unbalanced import examine

pytestmark = pytest.mark.draws

X = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, :3].sum(1) > 0).long()
HINTS = (X @ torch.randn(6, 16, generator=torch.Generator().manual_seed(1))).relu()


class Pupil(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
        self.head = nn.Linear(16, 2)

    def forward(self, x: Any) -> Any:
        return self.head(self.body(x))


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("weight", [1e5, 1e-3])
def test_hints_that_outweigh_the_answers(weight: float, named: bool) -> None:
    torch.manual_seed(0)
    pupil = Pupil()
    optimizer = torch.optim.SGD(pupil.parameters(), lr=0.05)
    with ss.watch(pupil, optimizer) as watch:
        for _ in range(10):
            for rows in torch.randperm(400).split(20):
                answers = F.cross_entropy(pupil(X[rows]), Y[rows])
                hints = weight * (pupil.body(X[rows]) - HINTS[rows]).square().sum(1).mean()
                optimizer.zero_grad()
                (answers + hints).backward()
                nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
                optimizer.step()
                parts = {"answers": answers, "hints": hints} if named else None
                watch.step(answers + hints, target=Y[rows], parts=parts)
    diagnosis = watch.diagnose(train=(X, Y), loss_fn=F.cross_entropy)
    finding = examine(diagnosis.case)
    assert (finding is not None) == (weight > 1)
    if finding is not None:
        assert "head alone" in finding.explanation
        assert "gradient_clipped_away" not in [one.condition for one in diagnosis.findings]
