"""Networks, and a plain training loop to watch them in."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.observe.any_loop_watcher import AnyLoopWatcher


class Functions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x)))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.twice, self.out = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.out.weight = nn.Parameter(self.out.weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.twice(torch.tanh(self.twice(self.into(x))))))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.GRU(2, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.memory(x.view(-1, 3, 2))[0][:, -1])


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "dense": lambda: nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3)),
    "in place": lambda: nn.Sequential(nn.Linear(6, 12), nn.ReLU(inplace=True), nn.Linear(12, 3)),
    "norm and dropout": lambda: nn.Sequential(
        nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3)
    ),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)),
        nn.Conv2d(1, 4, 2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ),
    "functions": Functions,
    "a layer twice": Tied,
    "recurrent": Recurrent,
    "one layer": lambda: nn.Linear(6, 3),
    "transformer": lambda: nn.Sequential(
        nn.Unflatten(1, (3, 2)),
        nn.Linear(2, 8),
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        nn.Flatten(),
        nn.Linear(24, 3),
    ),
}


def train(
    make: Callable[[], nn.Module],
    budget: float | None,
    steps: int = 12,
    two: bool = False,
    accumulate: int = 1,
    clear: bool = True,
) -> tuple[nn.Module, AnyLoopWatcher | None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make()
        x, y = torch.randn(64, 6), torch.randint(0, 3, (64,))
        parameters = list(model.parameters())
        optimizers = (
            [
                torch.optim.SGD(parameters[:1], lr=0.1, momentum=0.9),
                torch.optim.Adam(parameters[1:], lr=0.01),
            ]
            if two
            else [torch.optim.SGD(parameters, lr=0.1)]
        )
        watch = None if budget is None else ss.watch(model, optimizers, budget=budget)
        if watch is not None:
            watch.__enter__()
        for step in range(steps):
            loss = F.cross_entropy(model(x), y)
            if clear and step % accumulate == 0:
                for optimizer in optimizers:
                    optimizer.zero_grad()
            loss.backward()
            if (step + 1) % accumulate == 0:
                for optimizer in optimizers:
                    optimizer.step()
            if watch is not None:
                watch.step(loss, target=y)
        if watch is not None:
            watch.__exit__(None, None, None)
            assert watch.failure is None
        return model, watch
