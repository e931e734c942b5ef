"""What the nearest training samples say of the validation data, without any network.

They tell whether the labels of both parts mean the same, whether samples that lie near each other
are of one class at all, and whether more samples would help.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.kind_of_task import class_indices

TRAIN_ROWS, VALID_ROWS = 1500, 400  # that are compared at most
MAX_COLUMNS = 5000  # of a sample
FEWEST = 30  # samples of either part
NEIGHBOURS = 5
SPLITS = 5  # random halves of the training samples


@dataclass(frozen=True)
class BothParts:
    """Inputs standardized by the training part's columns, and classes or numbers, of both parts."""

    x: Float[Tensor, "N F"]
    y: Shaped[Tensor, "N ..."]
    valid_x: Float[Tensor, "M F"]
    valid_y: Shaped[Tensor, "M ..."]

    def score(self, chosen: Tensor | None = None, count: int = NEIGHBOURS) -> float:
        """Accuracy or r2 on the validation part of the vote, or the mean, of the nearest training
        samples; of those that are `chosen`.
        """
        x, y = (self.x, self.y) if chosen is None else (self.x[chosen], self.y[chosen])
        return _judged(_distances(self.valid_x, x), y, self.valid_y, count)

    def score_among_themselves(self) -> float:
        """Accuracy or r2 on the training part of the nearest of its other samples."""
        distances = _distances(self.x, self.x).fill_diagonal_(torch.inf)
        return _judged(distances, self.y, self.y, NEIGHBOURS)

    def gain_of_the_second_half(self) -> float:
        """How much better the nearest of all training samples answers than that of half of them."""
        generator = torch.Generator().manual_seed(0)
        halves = [
            self.score(torch.randperm(len(self.x), generator=generator)[: len(self.x) // 2], 1)
            for _ in range(SPLITS)
        ]
        return self.score(None, 1) - statistics.fmean(halves)


def both_parts(case: Case) -> BothParts | None:
    """The parts as plain tables; None where they are not, or are too few; made once."""
    parts: BothParts | None = case.of_data("both parts", lambda: _both_parts(case))
    return parts


def gain_of_samples(case: Case) -> float:
    """`gain_of_the_second_half`; 0 where that cannot be asked."""
    parts = both_parts(case)
    if parts is None:
        return 0.0
    gain: float = case.of_data("gain of samples", parts.gain_of_the_second_half)
    return gain


def _both_parts(case: Case) -> BothParts | None:
    pairs = case.train, case.valid
    if case.task not in ("binary", "multiclass", "regression"):
        return None
    tables = []
    for pair, most in zip(pairs, (TRAIN_ROWS, VALID_ROWS), strict=True):
        if pair is None or not pair[0].is_floating_point() or len(pair[0]) < FEWEST:
            return None
        chosen = torch.linspace(0, len(pair[0]) - 1, min(most, len(pair[0]))).long()
        x, y = (tensor.detach()[chosen.to(tensor.device)].cpu() for tensor in pair)
        x = x.flatten(1).float()
        if x.shape[1] > MAX_COLUMNS or not bool(x.isfinite().all()):
            return None
        tables.append((x, _answers(case, y)))
    (x, y), (valid_x, valid_y) = tables
    if x.shape[1] != valid_x.shape[1] or y.shape[1:] != valid_y.shape[1:]:
        return None
    if y.is_floating_point() and not bool(torch.cat([y, valid_y]).isfinite().all()):
        return None
    if not y.is_floating_point() and int(torch.cat([y, valid_y]).min()) < 0:
        return None
    spread = x.std(0, correction=0)
    varied = spread > 1e-6
    if not bool(varied.any()):
        return None
    mean, spread = x.mean(0)[varied], spread[varied]
    return BothParts(
        (x[:, varied] - mean) / spread, y, (valid_x[:, varied] - mean) / spread, valid_y
    )


def _distances(x: Tensor, others: Tensor) -> Tensor:
    """Squared, of each row of `x` from each of `others`."""
    return x.square().sum(1)[:, None] + others.square().sum(1) - 2 * x @ others.T


def _judged(distances: Tensor, y: Tensor, truth: Tensor, count: int) -> float:
    """Accuracy or r2 of the vote, or the mean, of the `count` nearest."""
    nearest = distances.topk(min(count, distances.shape[1]), largest=False).indices
    if not y.is_floating_point():
        votes = torch.nn.functional.one_hot(y)[nearest].sum(1)
        return float((votes.argmax(1) == truth).double().mean())
    error = (y[nearest].mean(1) - truth).square().sum()
    return float(1 - error / (truth - truth.mean(0)).square().sum())


def _answers(case: Case, y: Tensor) -> Tensor:
    if case.task == "regression":
        return y.reshape(len(y), -1).double()
    return class_indices(y)
