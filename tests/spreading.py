"""`python -m tests.spreading FOLDER` as each process of a group: train what `CASES` says with the
network in parts, and write down what came of it. Alone it is trained by plain autograd."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.engine.distributed.process_group import started_by_launcher
from sevensteps.errors import Error
from sevensteps.training import loop
from sevensteps.training.state import Training
from tests.groups import Kills

PLAIN: dict[str, Any] = {
    "predict": "mlp(13, 7)",
    "step": "adam(lr=0.01)",
    "repeat": "batches(100)",
    "stop": "max_steps(20)",
    "precision": "float64",
    "threads": 1,
}


class Encoder(nn.Module):
    """Reads a picture line by line: two layers of attention, of PyTorch's own blocks, and a
    parameter of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True)
        self.embed, self.place, self.head = (
            nn.Linear(8, 12),
            nn.Parameter(torch.zeros(8, 12)),
            nn.Linear(12, 10),
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.encoder(self.embed(x[:, 0]) + self.place).mean(1))
        return y


class Half(nn.Module):
    """One layer is frozen, one not used, and a buffer is used but not trained."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.unused, self.last = (
            nn.Linear(64, 9).requires_grad_(False),
            nn.Linear(5, 3),
            nn.Linear(9, 10),
        )
        self.register_buffer("scale", torch.tensor([2.0]))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(self.frozen(x.flatten(1)).tanh() * self.scale)
        return y


class Tied(nn.Module):
    """One parameter in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 64)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x.flatten(1)))[:, :10]
        return y


class Scaled(nn.Linear):
    """A layer with a parameter that is a single number."""

    def __init__(self) -> None:
        super().__init__(64, 10)
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(1)) * self.scale


def seeded(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """`make` with PyTorch's generator at a seed, which is put back."""

    def made() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(3)
            return make()

    return made


CASES: dict[str, dict[str, Any]] = {
    "mlp": {},
    "encoder": {"predict": seeded(Encoder), "stop": "max_steps(10)"},
    "frozen and unused": {
        "predict": seeded(Half),
        "step": "sgd(lr=0.1, momentum=0.9, weight_decay=0.01)",
    },
    "accumulate and clip": {
        "gradient": {"clip": 0.3, "accumulate": 3},
        "repeat": "batches(50)",
        "predict": "mlp(16, 12, dropout=0.4)",
    },
    "fewer samples than processes": {"repeat": "batches(1)", "stop": "max_steps(5)"},
    "the best is not the last": {
        "step": "sgd(lr=one_cycle(3.0))",
        "stop": "epochs(6)",
        "repeat": "full_batch()",
    },
    "only evaluated": {"stop": "epochs(0)"},
    "float32": {"precision": "float32", "stop": "epochs(2)"},
    "convolutions": {"predict": "cnn(4, 6)", "stop": "max_steps(8)"},
}
REFUSED: dict[str, dict[str, Any]] = {
    "tied": {"predict": seeded(Tied)},
    "single number": {"predict": seeded(Scaled)},
    "batch norm": {"predict": "mlp(12, batch_norm=True)"},
}


def train(given: dict[str, Any]) -> ss.Run:
    """Train a case, in parts where there are several processes."""
    given = {
        **PLAIN,
        **{key: value() if callable(value) else value for key, value in given.items()},
    }
    given["gradient"] = ss.autograd(**given.pop("gradient", {}), shard=started_by_launcher())
    return ss.train("digits", **given, out=False, progress=False, watch=0)


def kept(training: Training) -> dict[str, int]:
    """How many numbers this process keeps."""
    network: Any = [parameter.to_local() for parameter in training.network.parameters()]  # type: ignore[operator]
    memory = [
        held.numel()
        for held in training.stepper.memory.values()
        if isinstance(held, Tensor) and held.ndim
    ]
    return {
        "network": sum(tensor.numel() for tensor in network),
        "parameters": training.engine.parameters.numel(),
        "gradients": training.engine.gradients.numel(),
        "memory": sum(memory),
        "apart": len(training.engine.engine.padded_copies),
    }  # type: ignore[attr-defined]


def main(folder: Path) -> None:
    """Train every case; each process writes what it got."""
    rank = os.environ["RANK"]
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    look = loop.evaluate_epoch

    def counting(training: Training, observers: Any) -> None:
        found["kept"] = kept(training)
        look(training, observers)

    for name, given in {**CASES, "interrupt": {"repeat": lambda: ss.loader(Kills())}}.items():
        run = train(given)
        found[name] = {"summary": run.summary, "history": run.history}
        for which, network in (("last", run.last.network), ("best", run.best.network)):
            safetensors.torch.save_file(
                {key: tensor.clone() for key, tensor in network.state_dict().items()},
                folder / f"{name} {which} {rank}",
            )
    loop.evaluate_epoch = counting
    train({"predict": "mlp(1000, 40)", "stop": "epochs(1)"})
    loop.evaluate_epoch = look
    for name, given in REFUSED.items():
        try:
            train(given)
        except Error as failure:
            found[name] = str(failure)
    (folder / f"found{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
