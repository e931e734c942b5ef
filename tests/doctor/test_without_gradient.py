"""Answers that no loss reads, and products of zeros, are named; those that are read are not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws

X = torch.randn(300, 6, generator=torch.Generator().manual_seed(0))
Y = torch.stack([X[:, 0] * X[:, 1], X[:, 2], X[:, 3].abs()], 1)


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 24), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(24, 1) for _ in range(3))

    def forward(self, x: Tensor) -> list[Tensor]:
        h = self.body(x)
        return [head(h)[:, 0] for head in self.heads]


def taught(model: nn.Module, whole: bool, told: bool = True, every: int = 1) -> list[Finding]:
    """Trained by the errors of all three columns (those of the first two once in `every` steps), or
    by that of the last alone.
    """
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 4e-3)
    with ss.watch(model, optimizer) as watch:
        for step in range(60):
            rows = torch.randint(300, (32,))
            output = model(X[rows])
            columns = output.unbind(1) if isinstance(output, Tensor) else output
            errors = [F.mse_loss(c, Y[rows, i]) for i, c in enumerate(columns)]
            loss = sum(errors, torch.zeros(())) if whole and step % every == 0 else errors[-1]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=Y[rows] if told else None)
    found = watch.diagnose().findings
    return [f for f in found if f.condition == "parameters_not_updated"]


@pytest.mark.parametrize("told", [True, False])
def test_heads_that_no_loss_reads_are_named_whatever_the_other_learns(told: bool) -> None:
    torch.manual_seed(0)
    (finding,) = taught(Heads(), whole=False, told=told)
    assert finding.severity != "info"
    assert "comes back to output 0, 1:" in finding.explanation
    assert not taught(Heads(), whole=True, told=told)
    assert not taught(Heads(), whole=True, told=told, every=2)


def test_columns_that_no_loss_reads_are_named() -> None:
    torch.manual_seed(0)
    (finding,) = taught(nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3)), whole=False)
    assert "column 0, 1 of the answer" in finding.explanation
    assert not taught(nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3)), whole=True)


class Adapted(nn.Module):
    """A layer that stays as it is, and a change A B of it."""

    def __init__(self, drawn: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3).requires_grad_(False)
        self.a, self.b = nn.Parameter(torch.zeros(2, 6)), nn.Parameter(torch.zeros(3, 2))
        if drawn:
            nn.init.kaiming_uniform_(self.a)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + x @ self.a.T @ self.b.T


def test_a_product_of_two_zeros_is_named() -> None:
    torch.manual_seed(0)
    (finding,) = taught(Adapted(drawn=False), whole=True)
    assert finding.where == {"parameters": ["a", "b"]}
    assert not taught(Adapted(drawn=True), whole=True)
