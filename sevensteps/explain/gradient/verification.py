"""One parameter's gradient by two other means: PyTorch's autograd and a central difference."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sevensteps.seeds import Isolation
from sevensteps.steps.loss import Loss

# h / max(1, |p|): in float64 the error of the formula, h², and that of rounding, 1e-16 / h, are
# about equal there
STEP = 1e-5


def autograd_gradients(network: nn.Module, loss: Loss, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """dL/d(parameter) of the mean loss by PyTorch, for every trained parameter by name.

    It is 0 for a parameter that the loss does not depend on.
    """
    named = {name: p for name, p in network.named_parameters() if p.requires_grad}
    with torch.enable_grad(), Isolation(torch.Generator().manual_seed(0)):
        mean = loss(network(x), y).mean()
        gradients = torch.autograd.grad(mean, list(named.values()), allow_unused=True)
    return {
        name: torch.zeros_like(p) if g is None else g
        for (name, p), g in zip(named.items(), gradients, strict=True)
    }


def central_difference(
    network: nn.Module, loss: Loss, x: Tensor, y: Tensor, parameter: str, index: tuple[int, ...]
) -> float:
    """dL/d(parameter[index]) as (L(p + h) - L(p - h)) / 2h with h = 1e-5 · max(1, |p|)."""
    tensor = dict(network.named_parameters())[parameter].detach().clone()
    middle = float(tensor[index])
    h = STEP * max(1.0, abs(middle))

    def loss_at(value: float) -> float:
        changed = tensor.clone()
        changed[index] = value
        with torch.no_grad(), Isolation(torch.Generator().manual_seed(0)):
            return float(loss(functional_call(network, {parameter: changed}, (x,)), y).mean())

    up, down = middle + h, middle - h
    return (loss_at(up) - loss_at(down)) / (up - down)


def relative_difference(a: float, b: float) -> float:
    """|a - b| as a share of the larger of the two numbers; 0 if both are 0."""
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0
