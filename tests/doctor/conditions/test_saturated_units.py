"""Attention whose scores are too large from the start is named; attention that learns is not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


class Attention(nn.Module):
    """Attention by hand, or by PyTorch, with the products of queries and keys times `scale`."""

    def __init__(self, scale: float, by_hand: bool) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(8, 16), nn.Parameter(torch.randn(6, 16) / 2)
        self.qkv, self.head = nn.Linear(16, 48), nn.Linear(16, 2)
        self.scale, self.by_hand = scale, by_hand

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.words(tokens) + self.places
        q, k, v = self.qkv(x).chunk(3, -1)
        if self.by_hand:
            h = (q @ k.transpose(1, 2) * self.scale).softmax(-1) @ v
        else:
            h = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return self.head(h.mean(1))


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("scale", [300.0, 0.25])
@pytest.mark.sampled(1)
def test_scores_too_large_for_a_softmax(scale: float, by_hand: bool) -> None:
    torch.manual_seed(0)
    tokens = torch.randint(2, 8, (300, 6))
    at = torch.stack([torch.randperm(6)[:2] for _ in range(300)])
    rows = torch.arange(300)
    tokens[rows, at[:, 0]], tokens[rows, at[:, 1]] = 0, 1
    y = (at[:, 0] < at[:, 1]).long()
    model = Attention(scale, by_hand)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(60):
            few = torch.randint(300, (32,))
            loss = F.cross_entropy(model(tokens[few]), y[few])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[few])
    found = {f.condition: f for f in watch.diagnose().findings}
    assert ("saturated_units" in found) == (scale > 1)
    if scale > 1:
        assert "from the start" in found["saturated_units"].explanation
