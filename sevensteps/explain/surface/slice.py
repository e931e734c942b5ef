"""A slice of the loss surface: its height over two directions through the last weights, and the
path that the training took over it.
"""

from __future__ import annotations

import copy
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from sevensteps.errors import Error
from sevensteps.explain.subject import Subject
from sevensteps.render.blocks import SHADES
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

GRID_POINTS = 25  # along each axis
MAX_REPEAT_SECONDS = 3.0  # of a training that is repeated for its path
MAX_PATH_POINTS = 400
MARGIN = 1.25  # how far the slice reaches beyond the path
# changes to a recipe that give its network before the first step; an Adam imports for a second
UNTRAINED: dict[str, Any] = {"stop": "max_steps(0)", "step": "sgd(lr=0.1)"}


@dataclass(frozen=True)
class LossSlice:
    """A slice of the loss surface.

    `losses[j][i]` is the loss at `across[i]` along the first direction and `up[j]` along the
    second, both from the last weights, at (0, 0). `path` are (step, along the first, along the
    second); `again` says whether the training was repeated for it, else it has start and end at
    most. `share` is the part of the distance from start to end, squared, that lies in the slice.
    `optimum` is where the loss is lowest, where that is known.
    """

    names: tuple[str, str]
    across: tuple[float, ...]
    up: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    path: tuple[tuple[int, float, float], ...]
    again: bool
    share: float | None
    samples: int
    optimum: tuple[float, float] | None = None

    def blocks(self) -> list[str]:
        """The slice as lines of text: the darker, the higher the loss; o start, x end, · between
        them, * the optimum.
        """
        ordered = sorted(value for row in self.losses for value in row)
        limits = [ordered[len(ordered) * part // len(SHADES)] for part in range(1, len(SHADES))]
        # every third row: a letter is twice as high as it is wide, and a screen is low
        rows = [[SHADES[bisect(limits, value)] for value in row] for row in self.losses[::3]]
        up = self.up[::3]
        marks = [("·", a, b) for _, a, b in self.path[1:-1]]
        marks += [("*", *self.optimum)] if self.optimum else []
        marks += [("o", *self.path[0][1:])] if len(self.path) > 1 else []
        for mark, a, b in [*marks, ("x", 0.0, 0.0)]:
            if self.across[0] <= a <= self.across[-1] and self.up[0] <= b <= self.up[-1]:
                rows[_nearest(up, b)][_nearest(self.across, a)] = mark
        return ["".join(row) for row in reversed(rows)]


def _nearest(points: tuple[float, ...], value: float) -> int:
    return min(range(len(points)), key=lambda index: abs(points[index] - value))


def slice_losses(
    network: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    directions: Tensor,
    ranges: tuple[tuple[float, float], tuple[float, float]],
) -> tuple[list[float], list[float], list[list[float]]]:
    """Points along both `directions` [P, 2], and the mean loss over x, y at each pair of them,
    computed in the dtype of x.
    """
    network, directions = copy.deepcopy(network).to(x.dtype), directions.to(x.dtype)
    parameters = [p for p in network.parameters() if p.requires_grad]
    with torch.no_grad():
        here = parameters_to_vector(parameters)
        across, up = (torch.linspace(*ends, GRID_POINTS, dtype=here.dtype) for ends in ranges)
        losses = []
        for b in up:
            row = []
            for a in across:
                vector_to_parameters(here + directions @ torch.stack([a, b]), parameters)
                row.append(float(loss(network(x), y).mean()))
            losses.append(row)
    return across.tolist(), up.tolist(), losses


class PathObserver(Observer):
    """Records where a training is along some `directions` [P, D], from `end` [P]; of long trainings
    every second, fourth, … step.
    """

    def __init__(self, directions: Tensor, end: Tensor) -> None:
        self.directions, self.end = directions, end
        self.points: list[tuple[int, Tensor]] = []
        self.squared_distance = 0.0  # from the start to the end
        self._every = 1

    def started(self, training: Training) -> None:
        self.squared_distance = float((_flat(training.network) - self.end).square().sum())
        self._record(training)

    def stepped(self, training: Training) -> None:
        if training.progress.step % self._every == 0:
            self._record(training)
            if len(self.points) > MAX_PATH_POINTS:
                self._every *= 2
                del self.points[1::2]

    def free_steps(self, training: Training) -> int:
        return self._every - training.progress.step % self._every

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        if not self.points or self.points[-1][0] != training.progress.step:
            self._record(training)

    def _record(self, training: Training) -> None:
        coordinates = (_flat(training.network) - self.end) @ self.directions
        self.points.append((training.progress.step, coordinates))


def _flat(network: nn.Module) -> Tensor:
    return (
        torch.cat([p.detach().reshape(-1) for p in network.parameters() if p.requires_grad])
        .double()
        .cpu()
    )


def observe_path(subject: Subject, directions: Tensor) -> tuple[PathObserver | None, bool]:
    """The path to the last weights along `directions`, and whether it is all of it: only its start
    where training again would take long. None where the training cannot be repeated.
    """
    path = PathObserver(directions, _flat(subject.network))
    repeated = (subject.summary.seconds or 0.0) <= MAX_REPEAT_SECONDS
    try:
        subject.rerun([path], **({} if repeated else UNTRAINED))
    except Error:  # data, batches or code that are not at hand any more
        return None, False
    return path, repeated


def slice_range(values: list[float], radius: float) -> tuple[float, float]:
    """From where to where a slice goes, so that it shows the points `values` and at least `radius`
    to either side of 0.
    """
    low, high = min([*values, -radius]), max([*values, radius])
    middle, half = (low + high) / 2, (high - low) / 2 * MARGIN
    return middle - half, middle + half
