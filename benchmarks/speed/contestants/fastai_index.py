"""fastai with batches by index in place of its DataLoader."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.contestants import fastai
from benchmarks.speed.networks import IndexBatches
from benchmarks.speed.trial import Trial


def train(trial: Trial) -> dict[str, Any]:
    return fastai.train(trial, IndexBatches)
