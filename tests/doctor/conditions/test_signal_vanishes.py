"""Activations of somebody's own are seen, as far as they stand between weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.api.watch import case_of
from sevensteps.doctor.conditions.signal_vanishes import depth, examine


class Squared(nn.Module):
    """x -> x²"""

    def forward(self, x: Tensor) -> Tensor:
        return x * x


def test_modules_without_parameters_are_activations_of_ones_own() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for _ in range(5):
            layers += [nn.Linear(8, 8), Squared()]
        model = nn.Sequential(*layers, nn.Linear(8, 3))
        x, y = 0.5 * torch.randn(32, 8), torch.randint(3, (32,))
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        with ss.watch(model, optimizer) as watch:
            for _ in range(3):
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
        spreads = depth(case_of(watch, (x, y)))
    assert [name for name, _ in spreads] == ["1", "3", "5", "7", "9"]
    assert spreads[-1][1] < 0.01 * spreads[0][1]


@pytest.mark.parametrize(
    ("layers", "std", "accused"), [(3, 0.003, True), (3, None, False), (6, None, True)]
)
def test_few_layers_that_leave_nothing_are_as_bad_as_many_that_leave_little(
    layers: int, std: float | None, accused: bool
) -> None:
    """`std` None is PyTorch's own start, which three layers get over."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            *(part for _ in range(layers) for part in (nn.Linear(16, 16), nn.ReLU())),
            nn.Linear(16, 3),
        )
        if std is not None:
            for parameter in model.parameters():
                nn.init.normal_(parameter, std=std)
        x = torch.randn(64, 16)
        y = x[:, :3].argmax(1)
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        with ss.watch(model, optimizer) as watch:
            for _ in range(3):
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
        assert (examine(case_of(watch, (x, y))) is not None) is accused


class LastState(nn.Module):
    """[B, T, 1] -> [B, 2]"""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.rnn, self.out = kind(1, 12, batch_first=True), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.rnn(x)[0][:, -1])
        return out


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
@pytest.mark.parametrize("std", [1e-3, None])
def test_recurrent_matrices_of_next_to_nothing_are_named(
    kind: type[nn.RNNBase], std: float | None
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LastState(kind)
        for name, weight in model.rnn.named_parameters():
            if std is not None and "weight" in name:
                nn.init.normal_(weight, std=std)
        x = torch.randn(64, 6, 1)
        y = (x.sum((1, 2)) > 0).long()
        optimizer = torch.optim.SGD(model.parameters(), 0.05)
        with ss.watch(model, optimizer) as watch:
            for _ in range(60):
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
        finding = examine(case_of(watch, (x, y)))
    assert (finding is not None) == (std is not None)
