"""What a contestant is given: a case, its data in memory, a seed, and a stop-watch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.speed.cases import Case

PARTS = ("x", "y", "x_test", "y_test")


@dataclass(frozen=True, eq=False)
class Trial:
    """A case with its data: `x` float32 [N, 784] or [N, 1, 28, 28] in 0..1, `y` int64 [N], and the
    same for the test part.

    `epochs` includes the first, which warms up and is not counted.
    """

    case: Case
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    epochs: int
    seed: int

    def accuracy(self, scores: np.ndarray) -> float:
        """The share of test samples whose highest score [N, 10] is that of their class. Outside the
        clock for everyone.
        """
        return float((np.asarray(scores).argmax(1) == self.y_test).mean())


def load(case: Case, folder: Path, epochs: int, seed: int) -> Trial:
    """Read the arrays that `python -m benchmarks.speed` has put into `folder`, as the case wants
    them.
    """
    x, y, x_test, y_test = (np.load(folder / f"{part}.npy") for part in PARTS)
    shape = (-1, 1, 28, 28) if case.image else (-1, 784)
    return Trial(
        case,
        x[: case.samples].reshape(shape),
        y[: case.samples],
        x_test.reshape(shape),
        y_test,
        epochs,
        seed,
    )


class Clock:
    """Seconds of each epoch: `lap()` at the end of each; the first lap runs from when the clock was
    made.
    """

    def __init__(self) -> None:
        self.laps: list[float] = []
        self.since = time.perf_counter()

    def lap(self) -> None:
        now = time.perf_counter()
        self.laps.append(now - self.since)
        self.since = now
