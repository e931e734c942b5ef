"""Curvature against closed forms: the Hessian of a linear model under a squared error is 2 XᵀX /
N.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sevensteps.engine.curvature import eigenvalues, largest_eigenvalue


def linear(
    features: int, samples: int = 60
) -> tuple[nn.Module, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(features)
    x, y = (
        torch.randn(samples, features, generator=generator),
        torch.randn(samples, 1, generator=generator),
    )
    x = x * torch.logspace(0, 1, features)
    with torch.random.fork_rng():
        model = nn.Linear(features, 1, bias=False)
    return model, x, y, torch.linalg.eigvalsh((2 * x.T @ x / samples).double())


@pytest.mark.parametrize("features", [3, 12, 60])
def test_the_largest_eigenvalue_of_a_linear_model(features: int) -> None:
    model, x, y, exact = linear(features)
    assert largest_eigenvalue(model, F.mse_loss, x, y) == pytest.approx(float(exact[-1]), rel=0.02)


def test_all_eigenvalues_of_a_small_one_and_none_of_a_large_one() -> None:
    model, x, y, exact = linear(12)
    found = eigenvalues(model, F.mse_loss, x, y)
    assert found == pytest.approx(exact.tolist(), rel=1e-4)
    assert eigenvalues(linear(65)[0], F.mse_loss, *linear(65)[1:3]) is None


def test_gradient_descent_is_stable_below_two_over_it_and_not_above() -> None:
    for factor, stable in ((0.95, True), (1.05, False)):
        model, x, y, _ = linear(12)
        top = largest_eigenvalue(model, F.mse_loss, x, y)
        assert top is not None
        optimizer = torch.optim.SGD(model.parameters(), lr=factor * 2 / top)
        first = float(F.mse_loss(model(x), y).detach())
        for _ in range(300):
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()
        assert (float(F.mse_loss(model(x), y).detach()) < first) is stable


def test_what_has_none() -> None:
    model, x, y, _ = linear(12)
    assert largest_eigenvalue(model, lambda o, t: o.sum() * 0, x, y) is None
    assert largest_eigenvalue(model, F.mse_loss, x * float("nan"), y) is None
    assert largest_eigenvalue(model.requires_grad_(False), F.mse_loss, x, y) is None


def test_it_is_had_where_pytorch_records_nothing() -> None:
    model, x, y, exact = linear(12)
    with torch.no_grad():
        assert largest_eigenvalue(model, F.mse_loss, x, y) == pytest.approx(
            float(exact[-1]), rel=0.02
        )
        assert eigenvalues(model, F.mse_loss, x, y) == pytest.approx(exact.tolist(), rel=1e-4)
