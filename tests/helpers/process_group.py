"""`python -m tests.helpers.process_group FOLDER`, run by each process of a group.

It trains all `CASES`, and writes the results. `torchrun` starts such processes; it finds a free
port itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.errors import Error, PeerError

ROOT = Path(__file__).resolve().parent.parent.parent
DEFAULTS: dict[str, Any] = {
    "predict": "mlp(12)",
    "step": "sgd(lr=0.1, momentum=0.9)",
    "repeat": "batches(100)",
    "stop": "max_steps(30)",
    "gradient": "chain_rule()",
    "precision": "float64",
    "threads": 1,
}
CASES: dict[str, dict[str, Any]] = {
    "chain rule": {},
    "autograd": {"gradient": "autograd()"},
    "odd batches": {"repeat": "batches(37)", "stop": "epochs(1)"},  # 1,438 = 38 × 37 + 32
    "fewer samples than processes": {
        "repeat": "batches(3)",
        "stop": "max_steps(12)",
        "predict": "mlp(8, dropout=0.3)",
    },
    "one sample": {"repeat": "batches(1)", "stop": "max_steps(5)", "gradient": "autograd()"},
    "in order": {"repeat": "batches(64, shuffle=False)"},
    "full batch": {"repeat": "full_batch()", "stop": "epochs(4)"},
    "accumulate and clip": {
        "gradient": "chain_rule(clip=0.3, accumulate=3)",
        "repeat": "batches(50)",
    },
    "accumulate with autograd": {
        "gradient": "autograd(clip=0.3, accumulate=3)",
        "repeat": "batches(50)",
    },
    "dropout": {"predict": "mlp(16, 12, dropout=0.4)"},
    "dropout with autograd": {"predict": "mlp(16, 12, dropout=0.4)", "gradient": "autograd()"},
    "convolutions": {"predict": "cnn(4, 6)", "step": "adam(lr=0.01)", "stop": "max_steps(15)"},
    "finite differences": {
        "predict": "linear()",
        "gradient": "finite_differences()",
        "stop": "max_steps(1)",
    },
    "until nothing gets better": {"stop": "epochs(30) | patience(2)", "step": "adam(lr=0.02)"},
    "only evaluated": {"stop": "epochs(0)"},
    "float32": {"precision": "float32", "repeat": "batches(256)", "stop": "epochs(5)"},
}
REFUSED: dict[str, dict[str, Any]] = {
    "batch norm": {"predict": "mlp(12, batch_norm=True)"},
    "dropout of PyTorch": {
        "predict": lambda: nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 10)),
        "initialize": "as_given()",
        "gradient": "autograd()",
    },
    "threads": {"threads": 512},
    "another seed": {"seed": lambda: int(os.environ["RANK"])},
    "fails in one": {
        "repeat": lambda: "batches(100000)" if os.environ["RANK"] == "1" else "batches(10)"
    },
    "fails in all": {"repeat": "batches(100000)"},
}


class InterruptingBatches:
    """Batches, of which the fifth sends process 1 a signal to end."""

    def __len__(self) -> int:
        return 20

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for index in range(len(self)):
            if index == 4 and os.environ["RANK"] == "1":
                os.kill(os.getpid(), signal.SIGTERM)
            yield torch.zeros(10, 1, 8, 8), torch.arange(10)


class UnevenBatches(InterruptingBatches):
    """Batches that are larger in one process than in the other."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(len(self)):
            yield (
                torch.zeros(10 + int(os.environ["RANK"]), 1, 8, 8),
                torch.arange(10 + int(os.environ["RANK"])) % 10,
            )


def torchrun(
    processes: int, command: list[str], *options: str, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `command` with torchrun, and wait for it."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            str(processes),
            *options,
            *command,
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=environment_without_group(**environment),
    )


def environment_without_group(**more: str) -> dict[str, str]:
    """Environment variables that put a process into no group, and let it take one thread."""
    others = {
        name: value
        for name, value in os.environ.items()
        if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    }
    return {
        **others,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        **more,
    }


def main(folder: Path) -> None:
    """Train every case; each process writes its results."""
    rank = os.environ["RANK"]
    torch.set_num_threads(1)
    results: dict[str, Any] = {}

    def train(name: str, options: dict[str, Any]) -> None:
        options = {key: value() if callable(value) else value for key, value in options.items()}
        run = ss.train("digits", **{**DEFAULTS, **options}, out=False, progress=False, watch=0)
        results[name] = {"summary": run.summary, "history": run.history}
        safetensors.torch.save_file(
            {key: tensor.clone() for key, tensor in run.network.state_dict().items()},
            folder / f"{name} {rank}",
        )

    for name, options in CASES.items():
        train(name, options)
    train("seconds", {"stop": "seconds(0.05)"})
    train("not finite", {"step": "sgd(lr=1e38)", "loss": "mean_squared_error()"})
    train("interrupt", {"repeat": lambda: ss.loader(InterruptingBatches())})
    for name, options in {
        **REFUSED,
        "uneven": {"repeat": lambda: ss.loader(UnevenBatches())},
    }.items():
        try:
            with torch.random.fork_rng():
                train(name, options)
        except Error as failure:
            results[name] = {
                "failure": str(failure),
                "reported_by_peer": isinstance(failure, PeerError),
            }
    train("again", {})  # "uneven" has broken the group, which forms anew
    (folder / f"results{rank}.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
