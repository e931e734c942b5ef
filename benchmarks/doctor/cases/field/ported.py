"""Programs brought over from Keras with its ways: a `fit`, classes as rows, channels last."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, healthy, r2


class Compiled:
    """Has the `fit` of Keras: validation, a rate that falls on a plateau, the best weights kept."""

    def __init__(self, model: nn.Module, lr: float) -> None:
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr, eps=1e-7)
        self.loss = nn.MSELoss()
        self.history: dict[str, list[float]] = {"loss": [], "val_loss": []}

    def train_step(self, x: Tensor, y: Tensor) -> Tensor:
        self.model.train()
        loss: Tensor = self.loss(self.model(x), y)
        self.optimizer.zero_grad(set_to_none=False)
        loss.backward()
        self.optimizer.step()
        return loss

    @torch.no_grad()
    def evaluate(self, x: Tensor, y: Tensor) -> float:
        self.model.eval()
        return float(self.loss(self.model(x), y))

    def fit(
        self, x: Tensor, y: Tensor, valid: tuple[Tensor, Tensor], epochs: int, patience: int = 4
    ) -> Any:
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, factor=0.3, patience=2)
        best, weights = float("inf"), copy.deepcopy(self.model.state_dict())
        with ss.watch(self.model, self.optimizer) as watch:
            for _ in range(epochs):
                losses = []
                for chosen in batches(len(x), 32, 1):
                    loss = self.train_step(x[chosen], y[chosen])
                    watch.step(loss, target=y[chosen])
                    losses.append(loss.item())
                self.history["loss"].append(sum(losses) / len(losses))
                self.history["val_loss"].append(self.evaluate(*valid))
                watch.valid(loss=self.history["val_loss"][-1])
                plateau.step(self.history["val_loss"][-1])
                if self.history["val_loss"][-1] < best:
                    best, weights = (
                        self.history["val_loss"][-1],
                        copy.deepcopy(self.model.state_dict()),
                    )
                elif best < min(self.history["val_loss"][-patience:]):
                    break
        self.model.load_state_dict(weights)
        return watch


def compiled_and_fit() -> Trained:
    x = torch.rand(1200, 6)
    y = torch.sin(4 * x[:, :1]) + 2 * x[:, 1:2] * x[:, 2:3] - x[:, 3:4]
    y = (y - y.mean()) / y.std()
    model = nn.Sequential(
        nn.Linear(6, 64),
        nn.ReLU(),
        nn.Dropout(0.05),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 1),
    )
    valid = (x[900:1050], y[900:1050])
    watch = Compiled(model, 5e-3).fit(x[:900], y[:900], valid, 10)
    return Trained(watch, r2(model.eval()(x[1050:]), y[1050:]))


class ChannelsLast(nn.Module):
    """Images [B, 12, 12, 3] as Keras holds them; turned inside. Ends in a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 12, 3), nn.Conv2d(12, 24, 3)
        self.out = nn.Linear(24, 4)
        for layer in (self.first, self.second, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        h = F.max_pool2d(self.first(images.permute(0, 3, 1, 2)).relu(), 2)
        return self.out(self.second(h).relu().amax((2, 3))).softmax(-1)


def categorical_crossentropy(true: Tensor, answer: Tensor) -> Tensor:
    """Of rows that are 1 at the class, and of probabilities. [B, C], [B, C] -> [B]"""
    return -(true * answer.clamp(1e-7, 1 - 1e-7).log()).sum(-1)


def channels_last() -> Trained:
    """A bar, upright or lying, red or blue: with the rows that `to_categorical` makes."""
    kind = torch.randint(0, 4, (900,))
    x = 0.2 * torch.rand(900, 12, 12, 3)
    for row in range(900):
        at, start, colour = (
            int(torch.randint(1, 11, ())),
            int(torch.randint(0, 6, ())),
            int(kind[row]) % 2 * 2,
        )
        place = (at, slice(start, start + 6)) if kind[row] < 2 else (slice(start, start + 6), at)
        x[row][(*place, colour)] += 0.8
    rows = F.one_hot(kind, 4).float()
    model = ChannelsLast()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3, alpha=0.9, eps=1e-7)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(700, 32, 5):
            loss = categorical_crossentropy(rows[chosen], model(x[chosen])).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=rows[chosen])
    return Trained(watch, accuracy(model, x[700:], kind[700:]))


class TimeDistributed(nn.Module):
    """A module for each moment, by folding time into the batch."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.inner(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return answer


class Running(nn.Module):
    """A GRU and a layer for each moment. [B, T, 1] -> [B, T, 2]"""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(1, 20, batch_first=True)
        self.dense = TimeDistributed(nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 2)))
        nn.init.orthogonal_(self.memory.weight_hh_l0)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.dense(self.memory(x)[0])
        return answer


def each_moment() -> Trained:
    """The largest so far and the mean of the last three, for each moment of a series."""
    x = torch.randn(900, 10, 1)
    largest = x.cummax(1).values
    mean = F.avg_pool1d(F.pad(x.transpose(1, 2), (2, 0)), 3, 1).transpose(1, 2)
    y = torch.cat([largest, mean], 2)
    model = Running()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(800, 32, 6):
            loss = torch.log(torch.cosh(model(x[chosen]) - y[chosen])).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 0.5)
            optimizer.step()
            watch.step(loss, target=y[chosen])
    return Trained(watch, r2(model(x[800:]).flatten(), y[800:].flatten()))


CASES = [
    healthy("compiled and fit", compiled_and_fit),
    healthy("images with channels last", channels_last),
    healthy("a layer for each moment", each_moment),
]
