"""This package as it trains by default: looking inside, within its budget of 2 % of the time."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.contestants import sevensteps
from benchmarks.speed.trial import Trial


def train(trial: Trial) -> dict[str, Any]:
    return sevensteps.train(trial, watch=0.02)
