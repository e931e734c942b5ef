"""Writes a run folder: an observer of the loop that changes nothing in it."""

from __future__ import annotations

import platform
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from sevensteps.record.folder import create, write, write_json
from sevensteps.record.history import Record
from sevensteps.state import Training, evaluate

SCHEMA = 1


class Writer:
    """Keeps the run folder: the recipe before the first step, the history as it grows, result and weights at the end.

    The folder is `out` itself, or `runs/<date>-<name>`; made when the training starts. `report` is asked at the end: it may add to the
    record, and says more for `run.json`.
    """

    def __init__(self, out: Path | str | None, name: str, report: Callable[[Record], dict[str, Any]] | None = None) -> None:
        self.out, self.name, self.report = out, name, report
        self.summary: dict[str, Any] = {}

    def started(self, training: Training) -> None:
        self.folder = create(self.out, self.name)  # not before: a start that is refused leaves no folder behind
        write(self.folder / "recipe.toml", training.recipe.to_toml().encode())
        self.record = Record(self.folder)
        self.record.event(0, "start", f"{training.recipe.source}, seed {training.recipe.seed}")

    def stepped(self, training: Training) -> None:
        return None

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        self.record.row(row)

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        self.record.event(training.progress.step, "stop", f"{rule}: {reason}")
        more = self.report(self.record) if self.report else {}
        self.record.close()
        write(self.folder / "weights.safetensors", pack(training.network.state_dict()))
        if training.best is not None:
            write(self.folder / "best.safetensors", pack(training.best.weights))
        self.summary = {**summarize(training, rule, reason, self.folder.name), **more}
        write_json(self.folder / "run.json", self.summary)  # last: a folder with a run.json is a whole run


def pack(weights: dict[str, Tensor]) -> bytes:
    """Tensors by name as safetensors. Each is copied: the network's own are views of one vector."""
    return safetensors.torch.save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()})


def summarize(training: Training, rule: str, reason: str, name: str) -> dict[str, Any]:
    """What `run.json` says of a finished training."""
    recipe, progress, data, best = training.recipe, training.progress, training.settled.data, training.best
    assert best is not None  # every training is evaluated at least once
    return {
        "schema": SCHEMA,
        "run": name,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "stop": {"rule": rule, "reason": reason},
        "epochs": progress.epoch,
        "steps": progress.step,
        "seconds": progress.seconds,
        "samples_per_second": progress.samples / progress.seconds if progress.seconds else None,
        "seed": recipe.seed,
        "device": str(training.engine.parameters.device),
        "threads": torch.get_num_threads(),
        "precision": recipe.precision,
        "metrics": {"train": evaluate(training, "train"), "valid": progress.history[-1]["valid"]},
        "best": {"epoch": best.epoch, "metrics": {"train": evaluate(training, "train", training.best_network()), "valid": best.valid}},
        "findings": [],
        "recipe": {"data": recipe.source, **{step: repr(held) for step, held in recipe.steps.items()}},
        "reasons": recipe.reasons,
        "parameters": training.engine.parameters.numel(),
        "data": {
            "source": data.source, "train": len(data.train), "valid": len(data.valid), "inputs": data.inputs.to_dict(),
            "task": {"kind": data.task.kind, "targets": data.task.targets, "classes": list(data.task.classes), "reason": data.task.reason},
        },
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in ("sevensteps", "torch", "numpy")}},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
