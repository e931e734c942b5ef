"""What the engine's tests share: plain PyTorch as the oracle, networks made without touching the
global generator.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn


def plain_autograd(network: nn.Module, loss: Any, x: Tensor, y: Tensor) -> tuple[Tensor, nn.Module]:
    """The gradient of the mean loss by PyTorch itself, on a copy that no engine has touched, and
    that copy afterwards.
    """
    twin = copy.deepcopy(network)
    for parameter in twin.parameters():
        parameter.grad = None
    loss.value(twin(x), y).mean().backward()
    trained = [p for p in twin.parameters() if p.requires_grad]
    flat = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in trained]
    return torch.cat(flat), twin


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """`make()` with PyTorch's global generator at `seed`, and put back afterwards; in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        return make().double()


def distance(found: Tensor, wanted: Tensor) -> float:
    """|found - wanted| / |wanted|."""
    return float((found - wanted).norm() / wanted.norm().clamp_min(1e-30))


@pytest.fixture(scope="session")
def oracle() -> Any:
    return plain_autograd


@pytest.fixture(scope="session")
def build() -> Any:
    return seeded


@pytest.fixture(scope="session")
def error() -> Any:
    return distance
