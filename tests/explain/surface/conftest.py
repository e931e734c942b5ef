"""A run of the speed example, and the surface of a short training."""

from __future__ import annotations

from typing import Any

import pytest

import sevensteps as ss
from sevensteps.explain.surface.answer import Surface

SPEED: dict[str, Any] = {
    "predict": "polynomial(2)",
    "step": "sgd(lr=1e-5)",
    "repeat": "full_batch()",
    "stop": "epochs(10)",
    "loss": "mean_squared_error()",
}


@pytest.fixture(scope="session")
def speed() -> Surface:
    return ss.train("speed", **SPEED, out=False).explain.surface()


def surface_of(data: Any, **steps: Any) -> Surface:
    return ss.train(data, **{"stop": "epochs(3)", **steps}, out=False).explain.surface()
