"""A head that another loss drowned is trained by itself, in a copy, and judged on other samples."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.questions.alone import BETTER_ALONE, trained_alone

pytestmark = pytest.mark.draws


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU())
        self.kind, self.number = nn.Linear(24, 4), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.kind(h), self.number(h)


def taught(unit: float, seed: int = 0) -> Any:
    """The diagnosis of a training for a kind and a number in that unit."""
    torch.manual_seed(seed)
    x = torch.randn(600, 8)
    kind = (x[:, 0] * x[:, 1] > 0).long() * 2 + (x[:, 2] + x[:, 3] > 0).long()
    number = 2 + torch.sin(1.5 * x[:, 4:5]) + x[:, 5:6]
    model = TwoHeads()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(400):
            rows = torch.randint(600, (32,))
            logits, answer = model(x[rows])
            loss = F.cross_entropy(logits, kind[rows]) + F.mse_loss(answer, unit * number[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=(kind[rows], number[rows]))
    return watch.diagnose()


def test_a_head_could_learn_more_than_it_did_beside_a_large_loss() -> None:
    diagnosis = taught(unit=1000.0)
    before = [p.clone() for p in diagnosis.case.network.parameters()]
    alone = trained_alone(diagnosis.case, "0")
    assert alone is not None
    assert alone.measure == "accuracy"
    assert alone.after - alone.before > BETTER_ALONE
    after = diagnosis.case.network.parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert "loss_terms_unbalanced" in {f.condition for f in diagnosis.findings}
    assert trained_alone(diagnosis.case, "2") is None


def test_heads_of_one_unit_are_not_accused() -> None:
    assert not [f for f in taught(unit=1.0).findings if f.severity != "info"]
