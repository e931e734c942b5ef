"""`python -m tests.helpers.fsdp FOLDER`, run by each process of a group: train all `CASES` with a
sharded network, and write the results. In one process autograd trains without shards."""

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
from tests.helpers.process_group import InterruptingBatches

DEFAULTS: dict[str, Any] = {
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


class PartlyFrozen(nn.Module):
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
    """`make`, with PyTorch's generator at a seed while it runs."""

    def make_seeded() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(3)
            return make()

    return make_seeded


CASES: dict[str, dict[str, Any]] = {
    "mlp": {},
    "encoder": {"predict": seeded(Encoder), "stop": "max_steps(10)"},
    "frozen and unused": {
        "predict": seeded(PartlyFrozen),
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


def train(options: dict[str, Any]) -> ss.Run:
    """Train a case, sharded where there are several processes."""
    options = {
        **DEFAULTS,
        **{key: value() if callable(value) else value for key, value in options.items()},
    }
    options["gradient"] = ss.autograd(**options.pop("gradient", {}), shard=started_by_launcher())
    return ss.train("digits", **options, out=False, progress=False, watch=0)


def numbers_in_process(training: Training) -> dict[str, int]:
    """How many numbers this process has of the network, its gradients and the optimizer's state."""
    network: Any = [parameter.to_local() for parameter in training.network.parameters()]  # type: ignore[operator]
    memory = [
        tensor.numel()
        for tensor in training.stepper.memory.values()
        if isinstance(tensor, Tensor) and tensor.ndim
    ]
    return {
        "network": sum(tensor.numel() for tensor in network),
        "parameters": training.engine.parameters.numel(),
        "gradients": training.engine.gradients.numel(),
        "memory": sum(memory),
        "apart": len(training.engine.engine.padded_copies),
    }  # type: ignore[attr-defined]


def main(folder: Path) -> None:
    """Train every case; each process writes its results."""
    rank = os.environ["RANK"]
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    look = loop.evaluate_epoch

    def counting(training: Training, observers: Any) -> None:
        results["numbers"] = numbers_in_process(training)
        look(training, observers)

    for name, options in {
        **CASES,
        "interrupt": {"repeat": lambda: ss.loader(InterruptingBatches())},
    }.items():
        run = train(options)
        results[name] = {"summary": run.summary, "history": run.history}
        for which, network in (("last", run.last.network), ("best", run.best.network)):
            safetensors.torch.save_file(
                {key: tensor.clone() for key, tensor in network.state_dict().items()},
                folder / f"{name} {which} {rank}",
            )
    loop.evaluate_epoch = counting
    train({"predict": "mlp(1000, 40)", "stop": "epochs(1)"})
    loop.evaluate_epoch = look
    for name, options in REFUSED.items():
        try:
            train(options)
        except Error as failure:
            results[name] = str(failure)
    (folder / f"results{rank}.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
