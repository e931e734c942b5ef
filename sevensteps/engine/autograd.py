"""The gradient by PyTorch's automatic differentiation: the chain rule over whatever the network and
the loss computed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sevensteps.engine.engine import Engine, LossFunction, refuse_step
from sevensteps.engine.flat_parameters import Vectors


class Autograd(Engine):
    """Any `nn.Module`: PyTorch records the operations of forward and loss, and runs them backward.

    Parameters that the loss does not depend on get 0. Source: Paszke et al. 2017, Automatic
    differentiation in PyTorch.
    """

    method = "autograd"
    grad_enabled = True
    low: torch.dtype | None = (
        None  # what products are computed in, where not in the parameters' type
    )

    def __init__(
        self, network: nn.Module, loss: LossFunction, reason: str = "", into: Vectors | None = None
    ) -> None:
        refuse_step(network, self.method)
        super().__init__(network, loss, reason, into)
        named = dict(network.named_parameters())
        self._views = [
            (named[name], self.gradients[place].view(shape))
            for name, (place, shape) in self.slices.items()
        ]

    def multiply_in(self, dtype: torch.dtype) -> None:
        self.low = dtype

    def _forward(self, x: Tensor) -> Tensor:
        output: Tensor
        if self.low is None:
            output = self.network(x)
            return output
        with torch.autocast(x.device.type, self.low):
            output = self.network(x)
        return output.to(x.dtype)

    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        if not add:
            self.gradients.zero_()
        for (
            parameter,
            view,
        ) in self._views:  # backward adds to what `.grad` is; a zero_grad elsewhere sets it to None
            if parameter.grad is not view:
                parameter.grad = view
        if losses.requires_grad:  # not where nothing is trained, or the loss depends on none of it
            # of the mean: each sample counts 1/B
            each = torch.full_like(losses, share / losses.shape[0])
            losses.backward(each)
