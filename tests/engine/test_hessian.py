"""The Hessian against PyTorch's own and closed forms."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.engine.hessian import Hessian, eigenvalues, largest_eigenvalue
from sevensteps.errors import ArgumentError
from tests.explain.oracles import hessian

pytestmark = pytest.mark.draws


def squared(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square().mean(-1)


def problem(*widths: int, samples: int = 50) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(sum(widths))
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.Tanh()]
    network = nn.Sequential(*layers[:-1]).double()
    return (
        network,
        torch.randn(samples, widths[0], dtype=torch.float64),
        torch.randn(samples, widths[-1], dtype=torch.float64),
    )


def test_it_is_that_of_pytorch() -> None:
    network, x, y = problem(4, 5, 2)
    found, expected = Hessian(network, squared, x, y), hessian(network, squared, x, y)
    assert torch.allclose(found.matrix(), expected, rtol=1e-9, atol=1e-12)
    v = torch.randn(found.size, dtype=torch.float64)
    assert torch.allclose(found @ v, expected @ v, rtol=1e-9, atol=1e-12)
    values, vectors = found.spectrum()
    assert torch.allclose(expected @ vectors, vectors * values, atol=1e-10)
    assert values[0] == values.max()


def test_loss_and_gradient_are_those_of_autograd() -> None:
    network, x, y = problem(3, 4, 1)
    found = Hessian(network, squared, x, y)
    loss = squared(network(x), y).mean()
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=1e-12)
    torch.testing.assert_close(
        found.gradient,
        torch.cat([p.grad.reshape(-1) for p in network.parameters() if p.grad is not None]),
    )


def test_lanczos_finds_both_ends() -> None:
    network, x, y = problem(10, 12, 3)
    found, exact = (
        Hessian(network, squared, x, y),
        torch.linalg.eigvalsh(hessian(network, squared, x, y)),
    )
    values, vectors = found.largest(2)
    assert values.tolist() == pytest.approx(exact.flip(0)[:2].tolist(), rel=2e-3)
    assert (
        torch.linalg.vector_norm(found @ vectors[:, 0] - values[0] * vectors[:, 0])
        < 0.05 * values[0]
    )
    assert found.smallest(float(values[0])) == pytest.approx(
        float(exact[0]), abs=4e-3 * float(values[0])
    )


def test_a_linear_model_has_two_xx_over_n() -> None:
    x, y = torch.randn(30, 4, dtype=torch.float64), torch.randn(30, 1, dtype=torch.float64)
    network = nn.Linear(4, 1, bias=False).double()
    assert torch.allclose(Hessian(network, squared, x, y).matrix(), 2 * x.T @ x / 30)


def test_a_loss_that_is_linear_in_the_parameters_has_none() -> None:
    network = nn.Linear(3, 1).double()
    found = Hessian(
        network, lambda o, t: o.squeeze(1), torch.randn(5, 3, dtype=torch.float64), torch.zeros(5)
    )
    assert torch.equal(found.matrix(), torch.zeros(4, 4, dtype=torch.float64))
    assert found.largest(2)[0].tolist() == [0, 0]


@pytest.mark.parametrize("case", ["frozen", "nan", "constant"])
def test_what_has_no_curvature_is_refused(case: str) -> None:
    network, x, y = problem(3, 4, 1)
    if case == "frozen":
        network.requires_grad_(False)
    loss = (lambda o, t: torch.zeros(len(t), dtype=o.dtype)) if case == "constant" else squared
    with pytest.raises(ArgumentError):
        Hessian(network, loss, x * float("nan") if case == "nan" else x, y)


# -- a coarse answer, or none: linear models under a squared error have 2 XᵀX / N ------------------


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


@pytest.mark.parametrize("features", [1, 2, 3, 12, 60])
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
