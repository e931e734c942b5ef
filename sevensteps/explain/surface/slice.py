"""A slice of the loss surface: its height over two directions through the last weights, and the
path that the training took.
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

CELLS = 25  # points along each axis
PATIENCE = 3.0  # seconds of training that may be trained again for its path
POINTS = 400  # of the path that are kept
MARGIN = 1.25  # how far the slice reaches beyond the path
START: dict[str, Any] = {
    "stop": "max_steps(0)",
    "step": "sgd(lr=0.1)",
}  # to see where a training began; an Adam imports for a second


@dataclass(frozen=True)
class Plane:
    """`losses[j][i]` at `across[i]` along the first direction and `up[j]` along the second, both from the last weights, at (0, 0).

    `path` are (step, along the first, along the second); `again` says whether the training was
    repeated for it, else it has start and end at most. `share` is the part of the way, start to end
    squared, that lies in this plane. `optimum` is where the loss is least."""

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
        """The slice in text: the darker, the higher. o start, x end, · between, * the optimum."""
        ordered = sorted(value for row in self.losses for value in row)
        limits = [ordered[len(ordered) * part // len(SHADES)] for part in range(1, len(SHADES))]
        # a letter is twice as high as wide, and a screen is low
        rows = [[SHADES[bisect(limits, value)] for value in row] for row in self.losses[::3]]
        up = self.up[::3]
        marks = [("·", a, b) for _, a, b in self.path[1:-1]]
        marks += [("*", *self.optimum)] if self.optimum else []
        marks += [("o", *self.path[0][1:])] if len(self.path) > 1 else []
        for mark, a, b in [*marks, ("x", 0.0, 0.0)]:
            if self.across[0] <= a <= self.across[-1] and self.up[0] <= b <= self.up[-1]:
                rows[_nearest(up, b)][_nearest(self.across, a)] = mark
        return ["".join(row) for row in reversed(rows)]


def _nearest(places: tuple[float, ...], value: float) -> int:
    return min(range(len(places)), key=lambda index: abs(places[index] - value))


def slice_of(
    network: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    directions: Tensor,
    reach: tuple[tuple[float, float], tuple[float, float]],
) -> tuple[list[float], list[float], list[list[float]]]:
    """Places along both `directions` [P, 2], and the mean loss over x, y at each pair of them,
    computed in the number type of x.
    """
    moved, directions = copy.deepcopy(network).to(x.dtype), directions.to(x.dtype)
    parameters = [p for p in moved.parameters() if p.requires_grad]
    with torch.no_grad():
        here = parameters_to_vector(parameters)
        across, up = (torch.linspace(*ends, CELLS, dtype=here.dtype) for ends in reach)
        losses = []
        for b in up:
            row = []
            for a in across:
                vector_to_parameters(here + directions @ torch.stack([a, b]), parameters)
                row.append(float(loss(moved(x), y).mean()))
            losses.append(row)
    return across.tolist(), up.tolist(), losses


class Path(Observer):
    """Keeps where a training is along some `directions` [P, D], from `end` [P]; of long trainings every second, fourth, … step."""

    def __init__(self, directions: Tensor, end: Tensor) -> None:
        self.directions, self.end, self.every = directions, end, 1
        self.points: list[tuple[int, Tensor]] = []
        self.way = 0.0  # from the start to the end, squared

    def started(self, training: Training) -> None:
        self.way = float((_flat(training.network) - self.end).square().sum())
        self._keep(training)

    def stepped(self, training: Training) -> None:
        if training.progress.step % self.every == 0:
            self._keep(training)
            if len(self.points) > POINTS:
                self.every *= 2
                del self.points[1::2]

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        if not self.points or self.points[-1][0] != training.progress.step:
            self._keep(training)

    def _keep(self, training: Training) -> None:
        self.points.append(
            (training.progress.step, (_flat(training.network) - self.end) @ self.directions)
        )


def _flat(network: nn.Module) -> Tensor:
    return (
        torch.cat([p.detach().reshape(-1) for p in network.parameters() if p.requires_grad])
        .double()
        .cpu()
    )


def path_of(subject: Subject, directions: Tensor) -> tuple[Path | None, bool]:
    """The way to the last weights along `directions`, and whether all of it: only its start where
    training again would take long.
    """
    path = Path(directions, _flat(subject.network))
    whole = float(subject.summary.get("seconds") or 0.0) <= PATIENCE
    try:
        subject.rerun([path], **({} if whole else START))
    except Error:  # data, batches or code that are not at hand any more
        return None, False
    return path, whole


def reach_of(values: list[float], radius: float) -> tuple[float, float]:
    """From where to where a slice goes, so that it shows these places and at least `radius` to
    either side of 0.
    """
    low, high = min([*values, -radius]), max([*values, radius])
    middle, half = (low + high) / 2, (high - low) / 2 * MARGIN
    return middle - half, middle + half
