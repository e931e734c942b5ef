"""A summary of a training that never was."""

from __future__ import annotations

from typing import Any

from sevensteps.record.summary import BestEpoch, RunSummary, StopReason


def summary(**changes: Any) -> RunSummary:
    """The summary of a short training on xor, with these `changes`."""
    metrics = {part: {"loss": 0.5, "accuracy": 0.75} for part in ("train", "valid")}
    values: dict[str, Any] = {
        "run": "one",
        "finished": "2026-01-01T12:00:00+00:00",
        "stop": StopReason("epochs", "all 2 epochs are done"),
        "epochs": 2,
        "steps": 8,
        "seconds": 2.0,
        "samples_per_second": 160.0,
        "seed": 0,
        "device": "cpu",
        "threads": 1,
        "precision": "float32",
        "metrics": metrics,
        "best": BestEpoch(1, metrics),
        "findings": [],
        "recipe": {
            "data": "xor",
            "predict": "mlp(4)",
            "repeat": "batches(50)",
            "stop": "epochs(2)",
        },
        "reasons": {},
        "parameters": 17,
        "data": {},
        "versions": {},
    }
    return RunSummary(**values | changes)
