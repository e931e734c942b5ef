"""Whether validation targets follow from their inputs as training targets do: by linear models,
which learn nothing by heart where there are far more samples than columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.pairs import targets_of

ROWS, LEAST = 4000, 50  # samples of each part
SAMPLES_PER_COLUMN = 5
PENALTY = 1e-9  # of each sample


@dataclass(frozen=True)
class Relation:
    """R² of the training targets by a line that was fitted to the other half of the training data
    (the worse half), and of the validation targets.
    """

    train: float
    valid: float


def relation(case: Case) -> Relation | None:
    """How far lines of the training data hold there and in the validation data; None where targets
    are no numbers, or inputs no table with few columns.
    """
    if case.task != "regression" or case.train is None or case.valid is None:
        return None
    x, y = _table(case.train)
    xv, yv = _table((case.valid[0], targets_of(case.valid)))
    if (
        min(len(x) // 2, len(xv)) < LEAST
        or x.shape[1:] != xv.shape[1:]
        or y.shape[1] != yv.shape[1]
    ):
        return None
    if not all(bool(t.isfinite().all()) for t in (x, y, xv, yv)):
        return None
    if x.shape[1] * SAMPLES_PER_COLUMN > len(x) // 2:
        return None
    half = len(x) // 2
    parts = ((x[:half], y[:half]), (x[half:], y[half:]))
    within = min(_r2(parts[1 - known], _line(*parts[known])) for known in (0, 1))
    return Relation(within, _r2((xv, yv), _line(x, y)))


def _table(pair: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor]:
    x, y = pair
    assert y is not None
    rows = torch.linspace(0, len(x) - 1, min(len(x), ROWS)).long()
    return tuple(t[rows].detach().cpu().double().reshape(len(rows), -1) for t in (x, y))  # type: ignore[return-value]


def _line(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mean, spread = x.mean(0), x.std(0).clamp_min(1e-12)
    z = (x - mean) / spread
    products = z.T @ z + PENALTY * len(x) * torch.eye(z.shape[1], dtype=z.dtype)
    weights = torch.linalg.solve(products, z.T @ (y - y.mean(0)))
    return weights / spread[:, None], mean, y.mean(0)


def _r2(pair: tuple[Tensor, Tensor], line: tuple[Tensor, Tensor, Tensor]) -> float:
    (x, y), (weights, mean, level) = pair, line
    error = (y - level - (x - mean) @ weights).square().sum()
    return float(1 - error / (y - y.mean(0)).square().sum().clamp_min(1e-300))
