"""Range, mean and standard deviation of columns or channels, computed piece by piece."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class RunningStatistics:
    """Statistics of each column of a table, or each channel of pictures.

    `low`, `high`, `mean` and `std()` are float64, `[F]` or `[C, 1, 1]`. `minimum` and `maximum` are
    of each single input, `count` is how many numbers each column or channel has, `first_not_finite`
    the first row and place that holds nan or infinity. Source: Chan, Golub, LeVeque 1983,
    Algorithms for computing the sample variance.
    """

    def __init__(self, batches: Iterable[Tensor]) -> None:
        self.count, self.rows = 0, 0
        self.first_not_finite: tuple[int, ...] | None = None
        for batch in batches:
            self._add(batch)

    def _add(self, batch: Tensor) -> None:
        over = (0,) if batch.ndim <= 2 else (0, 2, 3)
        values = batch.double()
        minimum, maximum = values.aminmax(dim=0)
        finite = (minimum.isfinite() & maximum.isfinite()).all()
        if self.first_not_finite is None and not bool(finite):
            row, *place = torch.nonzero(~values.isfinite())[0].tolist()
            self.first_not_finite = (self.rows + row, *place)
        mean = values.mean(over, keepdim=True)[0]
        count = values.numel() // mean.numel()
        squares = (values - mean).square_().sum(over, keepdim=True)[0]
        if not self.count:
            self.minimum, self.maximum, self.mean, self._squares = minimum, maximum, mean, squares
        else:
            difference, total = mean - self.mean, self.count + count
            self.minimum = torch.minimum(self.minimum, minimum)
            self.maximum = torch.maximum(self.maximum, maximum)
            self.mean = self.mean + difference * (count / total)
            between = difference.square() * (self.count * count / total)
            self._squares = self._squares + squares + between
        self.count += count
        self.rows += len(batch)

    @property
    def low(self) -> Tensor:
        """The smallest number of each column or channel."""
        return self.minimum if self.minimum.ndim == 1 else self.minimum.amin((1, 2), keepdim=True)

    @property
    def high(self) -> Tensor:
        """The largest number of each column or channel."""
        return self.maximum if self.maximum.ndim == 1 else self.maximum.amax((1, 2), keepdim=True)

    def std(self, correction: int = 0) -> Tensor:
        """The standard deviation of each column or channel, dividing by count - `correction`; 0 of
        a single number.
        """
        return (self._squares / max(self.count - correction, 1)).sqrt()
