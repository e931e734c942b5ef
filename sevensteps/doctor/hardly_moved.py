"""Whether a training has left its weights near where they were drawn, whatever its loss measures.

All its steps together are then a small part of the weights' own length. Trainings that went well
walk far: of the healthy ones of benchmarks/doctor none less than that length, those of networks
aside that had been trained before.
"""

from __future__ import annotations

import math

from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.measures import median, path_of_steps, weight_layers

NEAR = 0.3  # all steps together, in norms of the weights
LEAST_ROWS = 8  # of a matrix; of fewer the spread of their lengths says nothing
ROWS_APART = 1.5  # times the spread that lengths of drawn rows have
ROUNDED = 0.02  # of their mean, of rows that were scaled to one length


def hardly_moved(case: Case, near: float = NEAR) -> bool:
    """Whether all steps together moved the weights by less than `near` of their own length, of a
    network that began with weights as they are drawn.
    """
    path = path_of_steps(case)
    return 0 < path < near and began_as_drawn(case)


def began_as_drawn(case: Case) -> bool:
    """Whether the rows of most weight matrices were alike in length in the first look, as those of
    independent numbers are: training makes some units far stronger than others.
    """
    if not case.looks:
        return False
    excess = [
        _spread(change.weight) / _spread_of_drawn(case.facts.parameters[name].shape)
        for _, name in weight_layers(case)
        if (change := case.looks[0].changes.get(name)) is not None
        and len(change.weight) >= LEAST_ROWS
    ]
    return bool(excess) and median(excess) < 1


def _spread(lengths: Tensor) -> float:
    """The standard deviation of the rows' lengths, as a share of their mean."""
    lengths = lengths.double()
    return float(lengths.std() / lengths.mean().clamp_min(1e-300))


def _spread_of_drawn(shape: tuple[int, ...]) -> float:
    """The most that is usual of drawn rows: of N independent normal numbers the length varies by
    1/√(2N) of itself, of uniform ones less.
    """
    return ROWS_APART / math.sqrt(2 * math.prod(shape[1:])) + ROUNDED
