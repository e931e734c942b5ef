"""skorch with batches by index in place of its DataLoader."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.contestants import skorch
from benchmarks.speed.networks import IndexBatches
from benchmarks.speed.trial import Trial


def batches(dataset: Any, batch_size: int) -> IndexBatches:
    return IndexBatches(dataset.X, dataset.y, batch_size)


def train(trial: Trial) -> dict[str, Any]:
    return skorch.train(trial, iterator_train=batches)
