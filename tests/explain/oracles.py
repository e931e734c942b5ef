"""What the answers are compared with: PyTorch's own Hessian, and a plain loop of PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call


def hessian(
    network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor
) -> Tensor:
    """[P, P] by `torch.autograd.functional.hessian` of the mean loss as a function of one
    vector.
    """
    named = {name: p.detach() for name, p in network.named_parameters()}
    sizes = [p.numel() for p in named.values()]

    def value(flat: Tensor) -> Tensor:
        parts = {
            name: part.view(p.shape)
            for (name, p), part in zip(named.items(), flat.split(sizes), strict=True)
        }
        return loss(functional_call(network, parts, (x,)), y).mean()

    found: Tensor = torch.autograd.functional.hessian(
        value, torch.cat([p.reshape(-1) for p in named.values()])
    )  # type: ignore[assignment]
    return found
