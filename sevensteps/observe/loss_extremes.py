"""The least and the largest loss of many steps at a time: what thinning the losses would lose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float64
from torch import Tensor

MAX_BUCKETS = 2048


@dataclass
class LossExtremes:
    """Buckets of `width` steps each, in order: number of the bucket, least and largest finite loss.

    Bucket n has the steps from n · width on. Where there are more than `MAX_BUCKETS`, two become
    one, so that no spike is lost however long the training is.
    """

    width: int = 1
    buckets: list[tuple[int, float, float]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.buckets)

    def add(self, step: int, loss: float) -> None:
        """Add the finite loss of one step, which is not before the last one added."""
        self._add(step // self.width, loss, loss)

    def add_losses(self, first: int, losses: Float64[Tensor, "K"]) -> None:
        """Add the finite losses of each step from `first` on."""
        start = 0
        while start < len(losses):
            bucket = (first + start) // self.width
            end = min((bucket + 1) * self.width - first, len(losses))
            part = losses[start:end]
            self._add(bucket, float(part.min()), float(part.max()))
            start = end

    def _add(self, bucket: int, low: float, high: float) -> None:
        if self.buckets and self.buckets[-1][0] >= bucket:
            last, lowest, highest = self.buckets[-1]
            self.buckets[-1] = last, min(lowest, low), max(highest, high)
            return
        self.buckets.append((bucket, low, high))
        if len(self.buckets) > MAX_BUCKETS:
            self.width *= 2
            merged, self.buckets = self.buckets, []
            for number, low, high in merged:
                self._add(number // 2, low, high)

    def before(self, step: int) -> LossExtremes:
        """The buckets that begin before `step`."""
        return LossExtremes(self.width, [b for b in self.buckets if b[0] * self.width < step])

    def rows(self) -> list[tuple[int, float, float]]:
        """(first step, least, largest loss) of each bucket."""
        return [(number * self.width, low, high) for number, low, high in self.buckets]

    def to_dict(self) -> dict[str, Any]:
        """The buckets as JSON can hold them."""
        return {"width": self.width, "buckets": self.buckets}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> LossExtremes:
        """The extremes that `to_dict` wrote. Raises `KeyError`, `TypeError` or `ValueError`."""
        rows: Iterable[Sequence[Any]] = record["buckets"]
        buckets = [(int(number), float(low), float(high)) for number, low, high in rows]
        if int(record["width"]) < 1:
            raise ValueError(f"the losses have buckets of {record['width']} steps")
        return cls(int(record["width"]), buckets)
