"""Axes that are cut up in place of being moved are named; data in their order, or in none, not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.inputs_scrambled import examine
from sevensteps.doctor.finding import Finding
from tests.helpers.seeds import three_seeds

pytestmark = pytest.mark.draws


def signals(seed: int) -> tuple[Tensor, Tensor]:
    """Slow walks [N, T, F]; does the first end above its start?"""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(200, 30, 4, generator=draw).cumsum(1) / 5
    return x, (x[:, -1, 0] > x[:, 0, 0]).long()


class Recurrent(nn.Module):
    def __init__(self, moves: bool) -> None:
        super().__init__()
        self.rnn, self.out, self.moves = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 2), moves

    def forward(self, x: Tensor) -> Tensor:
        steps = x.transpose(1, 2) if self.moves else x.reshape(len(x), 30, 4)
        answer: Tensor = self.out(self.rnn(steps)[0][:, -1])
        return answer


def diagnosed(network: nn.Module, x: Tensor, y: Tensor) -> Any:
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    with ss.watch(network, optimizer) as watch:
        for _ in range(4):
            for rows in torch.randperm(len(y)).split(20):
                loss = F.cross_entropy(network(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    diagnosis: Any = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy)
    return diagnosis.case


def finding(network: nn.Module, x: Tensor, y: Tensor) -> Finding | None:
    return examine(diagnosed(network, x, y))


@three_seeds
@pytest.mark.sampled(1)
def test_signals_that_were_cut_up_anew_are_named_with_the_layer(seed: int) -> None:
    x, y = signals(seed)
    features_first = x.transpose(1, 2).contiguous()
    found = finding(Recurrent(moves=False), features_first, y)
    assert found is not None
    assert found.where == {"layers": ["rnn"]}
    assert "read by rnn as [batch, time, features]" in found.explanation
    assert "they lie as [batch, features, time]" in found.explanation
    assert "permute or transpose in place of view or reshape" in found.remedies[0].advice
    assert finding(Recurrent(moves=True), features_first, y) is None


def test_noise_has_no_order() -> None:
    x, y = torch.randn(100, 4, 30), torch.randint(2, (100,))
    assert finding(Recurrent(moves=False), x, y) is None


@three_seeds
@pytest.mark.parametrize(("cut_up", "blip"), [(True, 1.0), (False, 1.0), (True, 0.0)])
def test_blips_in_noise_that_were_cut_up_anew(cut_up: bool, blip: float, seed: int) -> None:
    """Most of what three sensors tell is noise, so that neighbours are hardly alike; without blips
    in it there is no order that is meant.
    """
    torch.manual_seed(seed)
    sensor, start = torch.randint(3, (600,)), torch.randint(36, (600,))
    x = 0.7 * torch.randn(600, 40, 3)
    for signal, one, at in zip(x, sensor.tolist(), start.tolist(), strict=True):
        signal[at : at + 5, one] += blip
    x = x.reshape(600, 3, 40) if cut_up else x.transpose(1, 2).contiguous()
    network = nn.Sequential(nn.Conv1d(3, 8, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    network.append(nn.Linear(8, 3))
    assert (finding(network, x, sensor) is not None) is (cut_up and blip > 0)


def test_before_the_first_step_and_without_a_network_nothing_is_said() -> None:
    case = diagnosed(Recurrent(moves=False), *signals(0))
    case.network = None
    assert examine(case) is None


def letters(seed: int) -> tuple[Tensor, Tensor]:
    """One-hot letters [N, 20, 4], of which the last one but one is asked."""
    draw = torch.Generator().manual_seed(seed)
    word = torch.randint(4, (300, 20), generator=draw)
    has = (word.unfold(1, 3, 1) == torch.tensor([1, 3, 2])).all(2).any(1)
    return F.one_hot(word, 4).float(), has.long()


def bands(seed: int) -> tuple[Tensor, Tensor]:
    """Mixtures [N, 20, 6] of two sources, one of which may last long."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (400,), generator=draw)
    sources = torch.randn(400, 20, 2, generator=draw)
    sources[:, :, 0] += y[:, None] * torch.randn(400, 1, generator=draw)
    x = sources @ torch.randn(2, 6, generator=draw)
    return x + 0.2 * torch.randn(400, 20, 6, generator=draw), y


def convolutions(channels: int) -> nn.Sequential:
    pooled = [nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 2)]
    return nn.Sequential(nn.Conv1d(channels, 8, 3), *pooled)


@three_seeds
@pytest.mark.parametrize("data", [letters, bands])
def test_letters_and_bands_in_no_order_are_known_by_their_axes(data: Any, seed: int) -> None:
    x, y = data(seed)
    channels = x.shape[2]
    viewed = finding(convolutions(channels), x.reshape(len(x), channels, 20), y)
    assert viewed is not None
    assert viewed.where == {"layers": ["0"]}
    assert "in memory they lie as [batch, time, channels]" in viewed.explanation
    assert finding(convolutions(channels), x.transpose(1, 2).contiguous(), y) is None
