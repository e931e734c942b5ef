"""A layer writes its gradients into their places, or adds them there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine.layer import Layer


class Shift(Layer):
    """y = x + b, whose derivative by x is 1 and by b the sum over the samples."""

    def forward(self, x: Tensor) -> Tensor:
        shifted: Tensor = x + self.module.bias
        return shifted

    def backward(self, g: Tensor) -> Tensor:
        return g


class Bias(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))
        self.bias.grad = torch.full((3,), 5.0)


def test_gradients_are_written_over_or_added() -> None:
    module = Bias()
    layer, g = Shift(module), torch.arange(6.0).view(2, 3)
    layer.write("bias", torch.ones(3), add=False)
    assert module.bias.grad.tolist() == [1, 1, 1]  # type: ignore[union-attr]
    layer.write("bias", torch.ones(3), add=True)
    assert module.bias.grad.tolist() == [2, 2, 2]  # type: ignore[union-attr]
    layer.write_sum("bias", g, (0,), add=False)
    assert module.bias.grad.tolist() == [3, 5, 7]  # type: ignore[union-attr]
    layer.write_sum("bias", g, (0,), add=True)
    assert module.bias.grad.tolist() == [6, 10, 14]  # type: ignore[union-attr]


def test_parameters_without_a_written_derivative_are_an_error() -> None:
    module = Bias()
    with pytest.raises(NotImplementedError, match=r"Shift has parameters \['bias'\] without"):
        Shift(module).write_gradients(torch.ones(2, 3), add=False)
    module.bias.requires_grad_(False)
    frozen = Shift(module)
    assert frozen.grads == {}
    frozen.write_gradients(torch.ones(2, 3), add=False)


def test_by_itself_a_layer_refuses_no_module() -> None:
    assert Layer.refusal(nn.Identity()) is None
    assert (Layer.multiplies, Layer.exact) == (False, False)
