"""Whether two sets of numbers, sample by sample, have anything to do with each other: for answers
and targets of which nobody knows how they are compared.

Distance covariance is 0 exactly where they are independent, whatever the form of the relation;
shuffled pairs say how large it is by chance. Source: Székely, Rizzo, Bakirov 2007, Measuring and
testing dependence by correlation of distances.
"""

from __future__ import annotations

import statistics

import torch
from jaxtyping import Float
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.pairs import targets_of
from sevensteps.observe.structure import rows, spread_indices

LEAST, MOST = 100, 400  # samples
SHUFFLES = 60
CHANCE = 3.0  # standard deviations of shuffled pairs, up to which a dependence is chance


def dependence(a: Tensor, b: Tensor) -> float | None:
    """By how many standard deviations of shuffled pairs the distance covariance of N rows of each
    is above theirs; None for few rows, or of numbers that do not vary.
    """
    if len(a) != len(b) or len(a) < LEAST:
        return None
    one, other = (_centred_distances(t) for t in (a, b))
    if one is None or other is None:
        return None
    generator = torch.Generator().manual_seed(0)
    shuffled = []
    for _ in range(SHUFFLES):
        order = torch.randperm(len(one), generator=generator)
        shuffled.append(float((one * other[order][:, order]).mean()))
    spread = statistics.pstdev(shuffled)
    if not spread > 0:
        return None
    return (float((one * other).mean()) - statistics.fmean(shuffled)) / spread


def _centred_distances(values: Tensor) -> Float[Tensor, "N N"] | None:
    """The distances between rows, less the means of row and column; of whole numbers, which may be
    classes, whether they differ.
    """
    flat = values.detach().cpu().reshape(len(values), -1)
    if flat.is_floating_point() or flat.shape[1] > 1:
        distances = torch.cdist(flat.double(), flat.double())
    else:
        distances = (flat != flat.T).double()
    if not bool(distances.isfinite().all()) or not float(distances.max()) > 0:
        return None
    centred = distances - distances.mean(0) - distances.mean(1, keepdim=True) + distances.mean()
    return centred


def answers_and_targets(case: Case) -> float | None:
    """`dependence` of the network's answers and the targets, on the training samples."""
    output, target = case.train_outputs, targets_of(case.examples)
    if output is None or target is None or len(output) != len(target):
        return None
    chosen = spread_indices(len(output), MOST)
    return dependence(rows(output, chosen), rows(target, chosen))


def inputs_and_targets(case: Case) -> float | None:
    """`dependence` of the inputs and the targets themselves; None where the inputs are several, or
    words.
    """
    if (pair := case.sample) is None or not pair[0].is_floating_point():
        return None
    chosen = spread_indices(len(pair[0]), MOST)
    return dependence(rows(pair[0], chosen), rows(pair[1], chosen))
