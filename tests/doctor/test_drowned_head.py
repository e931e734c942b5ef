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
@pytest.mark.sampled(1)
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


LENGTH = X[:, 3]
SAME_SIGN = (X[:, 0] * X[:, 1] > 0).float()


@pytest.mark.parametrize("unit", [1.0, 5000.0])
def test_a_column_beside_numbers_in_a_small_unit(unit: float) -> None:
    """Both are columns of one answer, so that neither has weights of its own."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    with ss.watch(network, optimizer) as watch:
        for _ in range(10):
            for rows in torch.randperm(400).split(20):
                answer = network(X[rows])
                kind = F.binary_cross_entropy_with_logits(answer[:, 0], SAME_SIGN[rows])
                length = F.mse_loss(answer[:, 1], unit * LENGTH[rows])
                optimizer.zero_grad()
                (kind + length).backward()
                optimizer.step()
                watch.step(kind + length, parts={"kind": kind, "length": length})
    finding = examine(watch.diagnose().case)
    assert (finding is not None) == (unit > 1)


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.kind, self.place = nn.Linear(16, 2), nn.Linear(16, 1)

    def forward(self, x: Any) -> Any:
        h = self.body(x)
        return self.kind(h), self.place(h)[:, 0]


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_a_loss_that_rises_while_large_targets_are_served(unit: float) -> None:
    """Of an absolute error the gradient is no longer for targets in pixels, and the way is."""
    torch.manual_seed(0)
    network = Both()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    with ss.watch(network, optimizer) as watch:
        for _ in range(16):
            for rows in torch.randperm(400).split(20):
                kinds, places = network(X[rows])
                kind = F.cross_entropy(kinds, SAME_SIGN[rows].long())
                place = F.smooth_l1_loss(places, unit * (0.5 + 0.2 * LENGTH[rows]))
                optimizer.zero_grad()
                (kind + place).backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                watch.step(kind + place, target=(SAME_SIGN[rows].long(), LENGTH[rows]))
    finding = examine(watch.diagnose().case)
    assert (finding is not None) == (unit > 1)
