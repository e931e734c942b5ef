"""The gradient by PyTorch alone, for the tests of gradients."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

import sevensteps as ss


def plain(network: nn.Module, loss: Any, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The gradient of the mean loss by PyTorch alone."""
    twin = copy.deepcopy(network)
    loss.value(twin(x), y).mean().backward()
    return {name: p.grad for name, p in twin.named_parameters() if p.grad is not None}


def wanted(run: ss.Run, samples: list[int]) -> dict[str, Tensor]:
    """By PyTorch, in float64 and evaluation mode."""
    subject = run.explain.subject
    x, y = subject.part("valid")
    network = copy.deepcopy(run.network).double().eval()
    y = y[samples]
    return plain(
        network, run.recipe.loss, x[samples].double(), y.double() if y.is_floating_point() else y
    )
