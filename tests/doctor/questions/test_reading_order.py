"""Orders of axes are told by how alike neighbours are, in signals whose order is known."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.reading_order import ReadingOrder, compare, reading_order
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws

SEEDS = range(4)


def pictures(seed: int, height: int = 16, width: int = 16, channels: int = 3) -> Tensor:
    """Smooth pictures [32, C, H, W], whose channels have something in common."""
    draw = torch.Generator().manual_seed(seed)
    size = (32, channels, height + 4, width + 4)
    noise = torch.randn(size, generator=draw) + torch.randn((32, 1, *size[2:]), generator=draw)
    return F.avg_pool2d(noise, 5, 1)


def waves(seed: int, steps: int = 40, features: int = 5) -> Tensor:
    """Waves of random phase [32, T, F]."""
    phase = torch.rand(32, 1, features, generator=torch.Generator().manual_seed(seed))
    return torch.sin(torch.arange(float(steps))[None, :, None] / 6 + 2 * math.pi * phase)


def asked(network: nn.Module, x: Tensor) -> ReadingOrder | None:
    case = Case(Observation(network_facts(network)), network, train=(x, torch.zeros(len(x))))
    answer = reading_order(case)
    assert case.not_judged == []
    return answer


@pytest.mark.parametrize("seed", SEEDS)
def test_pictures_are_told_from_pictures_whose_axes_were_not_moved(seed: int) -> None:
    x = pictures(seed)
    right = compare("0", x, True)
    cut = compare("0", x.permute(0, 2, 3, 1).reshape(x.shape), True)
    assert right is not None
    assert cut is not None
    assert right.as_read > 0.7 > right.other + 0.1
    assert cut.order == "batch, height, width, channels"
    assert cut.other == pytest.approx(right.as_read)
    assert cut.as_read < 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_width_and_height_exchanged(seed: int) -> None:
    x = pictures(seed, height=20, width=12, channels=1)
    right = compare("0", x, True)
    assert right is None or right.other < right.as_read
    cut = compare("0", x.reshape(32, 1, 12, 20), True)
    assert cut is not None
    assert cut.order == "batch, channels, width, height"
    assert cut.other - cut.as_read > 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_time_read_as_features(seed: int) -> None:
    x = waves(seed)
    right, cut = compare("", x, False), compare("", x.transpose(1, 2).reshape(x.shape), False)
    assert right is None or right.other < right.as_read
    assert cut is not None
    assert cut.order == "batch, features, time"
    assert 1 - cut.as_read > 4 * (1 - cut.other)
    of_view = compare("", x.reshape(32, 5, 40), True)
    assert of_view is not None
    assert of_view.other > of_view.as_read + 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_spectra_tables_and_columns_that_are_alike_are_in_no_other_order(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    phase = torch.rand(32, 10, 1, generator=draw)
    spectra = torch.sin(torch.arange(32.0) / 5 + 2 * math.pi * phase)
    table = torch.randn(32, 12, 6, generator=draw) + 5 * torch.randn(12, 6, generator=draw)
    walk = torch.randn(32, 50, 1, generator=draw).cumsum(1)
    prices = walk + 0.1 * torch.randn(32, 50, 4, generator=draw)
    for x in (spectra, table, prices):
        answer = compare("", x, False)
        assert answer is None or answer.other < 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_channels_of_different_scale_are_told_where_nothing_is_smooth(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(64, 4, 16, generator=draw) * torch.tensor([1.0, 3.0, 2.0, 0.5])[:, None]
    right = compare("", x, True)
    cut = compare("", x.transpose(1, 2).reshape(64, 4, 16), True)
    assert right is not None
    assert cut is not None
    assert right.scales_as_read > 0.9 > 0.2 > right.scales_other
    assert cut.scales_other > 0.9 > 0.2 > cut.scales_as_read
    of_one_scale = compare("", torch.randn(64, 4, 16, generator=draw), True)
    assert of_one_scale is not None
    assert of_one_scale.scales_as_read == of_one_scale.scales_other == 0


def test_the_first_layer_that_reads_neighbours_is_asked_and_only_of_the_inputs_themselves() -> None:
    x = pictures(0)
    rows = x.flatten(1)
    convolution = nn.Conv2d(3, 4, 3)
    cut = nn.Sequential(nn.Unflatten(1, (3, 16, 16)), convolution, nn.Flatten(), nn.LazyLinear(2))
    cut(rows)
    answer = asked(cut, rows)
    assert answer is not None
    assert answer.layer == "1"
    assert asked(nn.Sequential(nn.Linear(768, 768), *cut), rows) is None
    assert asked(nn.Linear(768, 2), rows) is None


def test_a_layer_that_takes_time_first_is_read_so() -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(5, 4)

        def forward(self, x: Tensor) -> Tensor:
            steps: Tensor = self.rnn(x.transpose(0, 1))[0]
            return steps[-1]

    assert asked(TimeFirst(), waves(0)) is None
    answer = asked(TimeFirst(), waves(0).transpose(1, 2).reshape(32, 40, 5))
    assert answer is not None
    assert answer.shape == (32, 40, 5)
    assert answer.order == "batch, features, time"


def test_a_sound_that_ends_in_silence_is_read_in_its_own_order() -> None:
    """Scales that take a course along time are no scales of channels in another order."""
    draw = torch.Generator().manual_seed(3)
    loud = torch.where(torch.arange(16) < 9, 1.0, 0.1)[:, None]
    # the bands of a frame are alike, the frames are not
    sounds = loud * (
        torch.randn(64, 16, 1, generator=draw) + 0.5 * torch.randn(64, 16, 8, generator=draw)
    )
    reading = compare("", sounds, False)
    assert reading is not None
    assert reading.scales_as_read > 0.9
