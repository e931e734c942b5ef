"""What one link of the chain rule is: a layer that can hand a gradient back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor


class Layer(ABC):
    """A module with its derivative; `forward` remembers what `backward` and `write_gradients` need.

    Every g has the shape of the layer's output and the unit "loss per unit of output". It belongs
    to whoever gets it, who may overwrite it. `grads` holds the trainable parameters' places in the
    flat gradient vector, by name. Where the network multiplies in a smaller number type, a layer
    that `multiplies` by its `weight` and `bias` gets them in that type, and one that has to be
    `exact` gets its input in the full one.
    """

    multiplies: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    def __init__(self, module: Any) -> None:
        self.module = module
        self.grads = {
            name: p.grad for name, p in module.named_parameters(recurse=False) if p.requires_grad
        }

    @staticmethod
    def refusal(module: Any) -> str | None:
        """Why the derivative of this module, as it is set up, is not written; None where it is."""
        return None

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """y, the same as the module itself gives."""

    @abstractmethod
    def backward(self, g: Tensor) -> Tensor:
        """dL/dx, of the shape of x."""

    def write_gradients(self, g: Tensor, add: bool) -> None:
        """Write dL/d(parameter) into its place in `grads`, or add it there. Most layers have
        nothing to train.
        """
        if self.grads:
            raise NotImplementedError(
                f"{type(self).__name__} has parameters {list(self.grads)} without a derivative"
            )

    def write(self, name: str, gradient: Tensor, add: bool) -> None:
        """Write or add one parameter's gradient."""
        grad = self.grads[name]
        if add:
            grad.add_(gradient)
        else:
            grad.copy_(gradient)

    def write_sum(self, name: str, g: Tensor, over: tuple[int, ...], add: bool) -> None:
        """Write or add one parameter's gradient that is the sum of `g` over some axes, without a
        copy between.
        """
        if add:
            self.grads[name].add_(g.sum(over))
        else:
            torch.sum(g, over, out=self.grads[name])
