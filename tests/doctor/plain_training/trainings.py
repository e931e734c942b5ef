"""Trainings of four kinds, healthy or with one step out of order, for the tests beside this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.case import Case
from sevensteps.doctor.diagnosis import Diagnosis

COUNT, BATCH, STEPS = 900, 32, 300


class Reader(nn.Module):
    """A recurrent network that answers at the end of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.out = nn.GRU(3, 24, batch_first=True), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.out(self.recurrent(x)[0][:, -1])
        return answer


def dense(outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU()).append(
        nn.Linear(48, outputs)
    )


def small_cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten()),
        nn.Linear(8, 3),
    )


def classes() -> tuple[Tensor, Tensor]:
    """Four classes of a table."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(COUNT, 8, generator=draw)
    hidden = (x @ torch.randn(8, 12, generator=draw)).tanh()
    return x, (hidden @ torch.randn(12, 4, generator=draw)).argmax(1)


def numbers() -> tuple[Tensor, Tensor]:
    """A number for each row of a table."""
    x = torch.randn(COUNT, 8, generator=torch.Generator().manual_seed(1))
    return x, x[:, :1] * x[:, 1:2] + x[:, 2:3]


def sequences() -> tuple[Tensor, Tensor]:
    """Which of three channels is the largest over twelve places."""
    x = torch.randn(COUNT, 12, 3, generator=torch.Generator().manual_seed(2))
    return x, x.sum(1).argmax(1)


def pictures() -> tuple[Tensor, Tensor]:
    """A bar, lying, standing or none, somewhere in a picture."""
    draw = torch.Generator().manual_seed(3)
    x = 0.3 * torch.randn(COUNT, 1, 8, 8, generator=draw)
    y = torch.randint(0, 3, (COUNT,), generator=draw)
    for picture, kind in zip(x, y.tolist(), strict=True):
        row, column = torch.randint(0, 4, (2,), generator=draw).tolist()
        if kind == 0:
            picture[0, row, column : column + 5] += 2
        elif kind == 1:
            picture[0, row : row + 5, column] += 2
    return x, y


KINDS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Tensor, Tensor]], Any]] = {
    "classes": (lambda: dense(4), classes, F.cross_entropy),
    "numbers": (lambda: dense(1), numbers, F.mse_loss),
    "sequences": (Reader, sequences, F.cross_entropy),
    "pictures": (small_cnn, pictures, F.cross_entropy),
}


@dataclass
class Trained:
    """A training that has ended, with what the loop had of it."""

    diagnosis: Diagnosis
    network: nn.Module
    optimizer: torch.optim.Optimizer

    @property
    def case(self) -> Case:
        return self.diagnosis.case


def trained(
    kind: str,
    *,
    start: Callable[[nn.Module], None] = lambda network: None,
    inputs: Callable[[Tensor], Tensor] = lambda x: x,
    feed: Callable[[Tensor], Tensor] = lambda y: y,
    batch: Callable[[Tensor, Tensor], Tensor] = lambda chosen, y: chosen,
    before_step: Callable[[nn.Module], None] = lambda network: None,
    steps: int = STEPS,
    **settings: Any,
) -> Trained:
    """A training of this kind: its start, its inputs, the targets of each batch, the samples of
    each batch, its gradients and the settings of Adam can be altered.
    """
    network_of, data, loss_fn = KINDS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = network_of()
        x, y = data()
        x = inputs(x)
        with torch.no_grad():
            start(network)
        optimizer = torch.optim.Adam(network.parameters(), **{"lr": 3e-3, **settings})
        with ss.watch(network, optimizer) as watch:
            for _ in range(steps):
                chosen = batch(torch.randint(len(x), (BATCH,)), y)
                target = feed(y[chosen])
                loss = loss_fn(network(x[chosen]), target)
                optimizer.zero_grad()
                loss.backward()
                before_step(network)
                optimizer.step()
                watch.step(loss, target=target)
        return Trained(watch.diagnose(train=(x, y)), network, optimizer)


def weights_times(factor: float) -> Callable[[nn.Module], None]:
    """A start with all matrices so many times as large."""

    def change(network: nn.Module) -> None:
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(factor)

    return change


def low_biases(network: nn.Module) -> None:
    """Hidden units that no input switches on."""
    for layer in list(network.modules())[1:-1]:
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None:
            layer.bias.fill_(-10.0)


def in_another_order(target: Tensor) -> Tensor:
    """Targets of other samples of the batch."""
    return target[torch.randperm(len(target))]


def drowned_in_noise(network: nn.Module) -> None:
    """Gradients beside which noise is large."""
    for parameter in network.parameters():
        assert parameter.grad is not None
        parameter.grad.add_(torch.randn_like(parameter), alpha=30.0)
