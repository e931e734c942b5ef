"""The forward pass of a network that is only evaluated: many samples at once, and nothing is
remembered for a backward pass.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from sevensteps.engine import matmul
from sevensteps.engine.chain_rule import missing
from sevensteps.engine.sequence import named_layers

ROWS = (
    256  # of the samples, by which the kernel is chosen; fewer are evaluated by PyTorch's modules
)


def evaluation_pass(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """`network`, which is in evaluation mode, as a function of inputs [N, ...] that gives outputs
    [N, O]: the same up to rounding.

    Linear layers multiply by the kernel that is the fastest for their shape, with a ReLU after them
    in the same kernel. A network that is more than a chain of known layers is called as it is.
    """
    if missing(network) is not None:
        return network
    chain = [module for _, module in named_layers(network)]
    layers: list[Callable[[Tensor], Tensor]] = []
    for place, module in enumerate(chain):
        before, after = chain[max(place - 1, 0)], chain[min(place + 1, len(chain) - 1)]
        if type(module) is nn.Linear:
            layers.append(_Linear(module, relu=type(after) is nn.ReLU))
        elif not (type(module) is nn.ReLU and type(before) is nn.Linear):
            layers.append(module)

    def forward(x: Tensor) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    return forward


class _Linear:
    """y = x Wᵀ + b, and max(y, 0) with `relu`."""

    def __init__(self, module: nn.Linear, relu: bool) -> None:
        self.module, self.relu = module, relu
        self.product: matmul.Product | None = None

    def __call__(self, x: Tensor) -> Tensor:
        weight, bias = self.module.weight, self.module.bias
        if x.ndim != 2 or (self.product is None and len(x) < ROWS):
            y: Tensor = self.module(x)
            return y.relu() if self.relu else y
        if self.product is None:
            self.product = matmul.fastest(matmul.LINEAR, x[:ROWS], weight)
        return self.product(x, weight, bias, self.relu)
