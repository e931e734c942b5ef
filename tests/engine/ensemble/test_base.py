"""An ensemble checks its border, shares memory with its networks, and averages each one's loss."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine.ensemble.base import Ensemble
from sevensteps.errors import Error, ShapeError
from sevensteps.steps.loss import mean_squared_error


class Scales(Ensemble):
    """K networks y = w x of one number each, whose derivative is written here."""

    def _check(self, networks: Sequence[nn.Module]) -> None:
        assert all(len(list(network.parameters())) == 1 for network in networks)

    def _prepare(self) -> None:
        self.prepared = len(self)

    def _forward(self, x: Tensor, own: bool) -> Tensor:
        self.x = x if own else x.expand(len(self), *x.shape)
        self.y = (self.parameters[:, :, None] * self.x).requires_grad_()
        return self.y

    def _sample_losses(self, output: Tensor, target: Tensor) -> Tensor:
        return mean_squared_error()(output, target)

    def _backward(self, losses: Tensor, share: float, add: bool) -> None:
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(losses.sum() * share / losses.shape[1], self.y)
        gradient = (slope * self.x).sum((1, 2))[:, None]
        self.gradients.copy_(self.gradients + gradient if add else gradient)


def scales(*values: float) -> Scales:
    networks = [nn.Linear(1, 1, bias=False, device="meta") for _ in values]
    for network, value in zip(networks, values, strict=True):
        network.weight = nn.Parameter(torch.tensor([[float(value)]]))
    return Scales(networks, mean_squared_error())


X, Y = torch.tensor([[1.0], [2]]), torch.tensor([[1.0], [0]])


def test_the_loss_and_the_gradient_are_each_network_s() -> None:
    ensemble = scales(1, 3)
    assert ensemble.predict(X).tolist() == [[[1], [2]], [[3], [6]]]
    assert ensemble.loss(Y).tolist() == [[0, 4], [4, 36]]  # (w x − y)²
    expected = torch.tensor([[4.0], [14]])  # the mean of 2 (w x − y) x
    assert torch.equal(ensemble.gradient(), expected)
    for add, times in ((True, 1.5), (False, 0.5)):
        ensemble.predict(X)
        ensemble.loss(Y)
        assert torch.equal(ensemble.gradient(share=0.5, add=add), times * expected)


def test_each_network_may_have_a_batch_of_its_own() -> None:
    ensemble = scales(1, 3)
    own = torch.stack([X, 10 * X])
    assert ensemble.predict(own, own=True).flatten().tolist() == [1, 2, 30, 60]
    assert ensemble.loss(torch.stack([Y, Y])).tolist() == [[0, 4], [29**2, 60**2]]
    ensemble.predict(X)
    assert ensemble.loss(torch.stack([Y, 0 * Y]), own=True).tolist() == [[0, 4], [9, 36]]


def test_rows_are_the_memory_of_the_networks() -> None:
    ensemble = scales(1, 3)
    ensemble.parameters[1] = 5
    assert float(ensemble.networks[1].weight.detach()) == 5  # type: ignore[arg-type, union-attr, operator]
    assert (len(ensemble), ensemble.prepared) == (2, 2)


def test_calls_out_of_order_and_shapes_that_do_not_fit_are_refused() -> None:
    ensemble = scales(1, 3)
    with pytest.raises(Error, match=r"call predict\(x\) first"):
        ensemble.loss(Y)
    ensemble.predict(X)
    with pytest.raises(Error, match=r"gradient\(\) needs a loss"):
        ensemble.gradient()
    with pytest.raises(ShapeError, match="give a batch to each of 2 networks"):
        ensemble.predict(torch.zeros(3, 4, 1), own=True)
    ensemble.predict(X)
    with pytest.raises(ShapeError, match=r"targets \[3, 1\] against 2 networks' outputs for 2"):
        ensemble.loss(torch.zeros(3, 1))
