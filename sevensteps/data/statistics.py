"""Range, mean and standard deviation of columns or channels, counted up piece by piece."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class Tally:
    """Of each column of a table, or each channel of pictures: `low`, `high`, `mean`, `squares` (the sum of squared distances from it).

    All float64, `[F]` or `[C, 1, 1]`; `least` and `most` are of each single input. `count` is how
    many numbers each column or channel has had, `wrong` the first row and place that is not finite.
    Source of the update: Chan, Golub, LeVeque 1983, Algorithms for computing the sample variance.
    """

    def __init__(self, pieces: Iterable[Tensor]) -> None:
        self.count, self.rows = 0, 0
        self.wrong: tuple[int, ...] | None = None
        for piece in pieces:
            self._add(piece)

    def _add(self, piece: Tensor) -> None:
        over = (0,) if piece.ndim <= 2 else (0, 2, 3)
        values = piece.double()
        least, most = values.aminmax(dim=0)
        if self.wrong is None and not bool((least.isfinite() & most.isfinite()).all()):
            row, *place = torch.nonzero(~values.isfinite())[0].tolist()
            self.wrong = (self.rows + row, *place)
        mean = values.mean(over, keepdim=True)[0]
        count = values.numel() // mean.numel()
        squares = (values - mean).square_().sum(over, keepdim=True)[0]
        if not self.count:
            self.least, self.most, self.mean, self.squares = least, most, mean, squares
        else:
            apart, total = mean - self.mean, self.count + count
            self.least, self.most = torch.minimum(self.least, least), torch.maximum(self.most, most)
            self.mean = self.mean + apart * (count / total)
            self.squares = self.squares + squares + apart.square() * (self.count * count / total)
        self.count += count
        self.rows += len(piece)

    @property
    def low(self) -> Tensor:
        """The smallest number."""
        return self.least if self.least.ndim == 1 else self.least.amin((1, 2), keepdim=True)

    @property
    def high(self) -> Tensor:
        """The largest."""
        return self.most if self.most.ndim == 1 else self.most.amax((1, 2), keepdim=True)

    def std(self, correction: int = 0) -> Tensor:
        """The standard deviation, by count - `correction`; 0 of a single number."""
        return (self.squares / max(self.count - correction, 1)).sqrt()
