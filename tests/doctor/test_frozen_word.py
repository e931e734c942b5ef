"""A word that is taken for padding never learns; padding at the end need not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


class Sum(nn.Module):
    """A sum of words' vectors, [B, T] -> [B, 2]"""

    def __init__(self, padding: int | None) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(6, 8, padding_idx=padding), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.words(x).sum(1))
        return out


@pytest.mark.parametrize(("padding", "named"), [(2, True), (0, False), (None, False)])
def test_a_word_that_is_taken_for_padding(padding: int | None, named: bool) -> None:
    torch.manual_seed(0)
    x = torch.randint(1, 6, (600, 9))
    y = ((x == 2).sum(1) > (x == 3).sum(1)).long()
    x[torch.arange(9) >= torch.randint(6, 10, (600, 1))] = 0
    model = Sum(padding)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in torch.arange(600).repeat(4).split(40):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    findings = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).findings
    named_here = [f.condition for f in findings if f.severity != "info"]
    assert ("parameters_not_updated" in named_here) == named
    assert "order_blind" not in named_here
