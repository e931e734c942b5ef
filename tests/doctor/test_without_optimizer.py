"""Weights that no optimizer has, or could have."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from tests.doctor.test_frozen_parameters import network, tuned
from tests.helpers.seeds import three_seeds

pytestmark = pytest.mark.draws


class Outside(nn.Module):
    """Two layers, of parameters, of plain tensors, or the second made anew in each call."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        into, out = 0.03 * torch.randn(6, 24), 0.2 * torch.randn(24, 2)
        self.into = into if way == "tensors" else nn.Parameter(into)
        self.out = out if way == "tensors" else nn.Parameter(out)
        self.shift, self.offset = nn.Parameter(torch.zeros(24)), nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(x @ self.into + self.shift)
        return nn.Linear(24, 2)(h) if self.way == "made anew" else h @ self.out + self.offset


@pytest.mark.parametrize(
    ("way", "words"),
    [("made anew", "makes parameters of its own"), ("tensors", "are tensors"), ("parameters", "")],
)
@three_seeds
@pytest.mark.sampled(3)
def test_weights_that_no_optimizer_could_have(way: str, words: str, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(400, 6)
    y = (x[:, 0] > x[:, 1]).long()
    model: Any = Outside(way)
    found = tuned(model, list(model.parameters()), x, y)
    if words:
        assert words in found[0].explanation
    else:
        assert not found


def test_a_network_left_out_beside_two_optimizers_of_another() -> None:
    x = torch.randn(64, 8)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer) as watch:
        for _ in range(10):
            loss = F.cross_entropy(model(x), (x[:, 0] > 0).long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    named = [finding.condition for finding in watch.diagnose().findings]
    assert "parameters_not_updated" not in named
    watch.observation.notes["left_out"] = ["maker", "Generator", 2690, 2]
    [finding] = [f for f in watch.diagnose().findings if f.condition == "parameters_not_updated"]
    assert finding.severity == "error"
    assert "none holds those of maker (Generator): its 2,690 parameters" in finding.explanation


def test_a_network_left_out_beside_an_optimizer_that_nothing_reaches() -> None:
    x, online, frozen = torch.randn(64, 8), network(), network()
    optimizer = torch.optim.SGD(frozen.parameters(), lr=0.1)
    with ss.watch(frozen, optimizer) as watch:
        for _ in range(10):
            with torch.no_grad():
                wanted = frozen(x)
            loss = F.mse_loss(online(x), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    watch.observation.notes["left_out"] = ["online", "QNet", 1234, 1]
    [finding] = [f for f in watch.diagnose().findings if f.condition == "parameters_not_updated"]
    assert "The gradients go to online (QNet), whose 1,234 parameters" in finding.explanation
    assert finding.remedies[0].advice == "build the optimizer from online.parameters()"
