"""Layers with nothing between them; and lists of layers, which the loop itself calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


def said_of(model: nn.Module, answer: Callable[[Tensor], Tensor]) -> bool:
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    y = x.prod(1, keepdim=True)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(60):
            loss = F.mse_loss(answer(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    return any(f.condition == "no_nonlinearity" for f in watch.diagnose().findings)


def test_a_chain_is_named_and_a_list_is_not() -> None:
    torch.manual_seed(0)
    into, out = nn.Linear(4, 16), nn.Linear(16, 1)
    chain = nn.Sequential(into, out)
    assert said_of(chain, chain)
    assert not said_of(nn.Sequential(into, nn.ReLU(), out), nn.Sequential(into, nn.ReLU(), out))
    assert not said_of(nn.ModuleList([into, out]), lambda x: out(into(x).relu()))
