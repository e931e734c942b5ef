"""A mask of padding that blocks the words is named, one that blocks the padding is not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


class Attentive(nn.Module):
    """Words [B, T], filled with 0, to [B, 2]; `turned`: what is blocked and what is not."""

    def __init__(self, whole: bool, turned: bool) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(8, 8), nn.Linear(8, 2)
        self.block: nn.Module = (
            nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True)
            if whole
            else nn.MultiheadAttention(8, 2, batch_first=True)
        )
        self.whole, self.turned = whole, turned

    def forward(self, x: Tensor) -> Tensor:
        mask, h = (x != 0) if self.turned else (x == 0), self.words(x)
        if self.whole:
            h = self.block(h, src_key_padding_mask=mask)
        else:
            h = self.block(h, h, h, key_padding_mask=mask)[0]
        out: Tensor = self.out(h[:, 0])
        return out


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("whole", [False, True])
def test_a_mask_that_is_turned_round(whole: bool, turned: bool) -> None:
    torch.manual_seed(0)
    x = torch.randint(1, 8, (300, 10))
    x[torch.arange(10) >= torch.randint(3, 10, (300, 1))] = 0
    y = ((x > 0) & (x < 4)).sum(1).gt((x >= 4).sum(1)).long()
    model = Attentive(whole, turned)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in torch.arange(300).repeat(2).split(50):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    findings = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).findings
    named = [f for f in findings if f.condition == "input_not_used"]
    assert any("blocks 100% of the words" in f.explanation for f in named) == turned
