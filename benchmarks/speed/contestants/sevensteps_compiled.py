"""This package with whole stretches of steps as machine code: `gradient=ss.compiled()`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import sevensteps as ss
from benchmarks.speed.contestants import Skipped, sevensteps
from benchmarks.speed.trial import Trial

GRADIENT = "compiled()"


def check() -> None:
    """Raise `Skipped` where there is nothing to compile with."""
    if find_spec("numba") is None:
        raise Skipped("Numba is not installed")
    if not hasattr(ss, "compiled"):
        raise Skipped(f"sevensteps {ss.__version__} has no {GRADIENT}")


def train(trial: Trial) -> dict[str, Any]:
    check()
    return sevensteps.train(trial, gradient=GRADIENT)


def whole_call(trial: Trial) -> Callable[[], dict[str, Any]]:
    check()
    return sevensteps.whole_call(trial, gradient=GRADIENT)
