"""The samples of one part, for training or for validation."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from sevensteps.data.streaming.streamed import Streamed


@dataclass(frozen=True, eq=False)
class Part:
    """The samples of one part: inputs `x`, already scaled, and targets `y` as `Task` stores them.

    `x` is float32, `[N, F]` for tables or `[N, 1 or 3, H, W]` for images; or it stays on disk,
    being larger than memory."""

    x: Float[Tensor, "..."] | Streamed
    y: Shaped[Tensor, "..."]

    def __len__(self) -> int:
        return len(self.x)

    def some(self, rows: Int[Tensor, "M"]) -> Part:
        """A part with only these rows, ascending."""
        return Part(
            self.x.among(rows) if isinstance(self.x, Streamed) else self.x[rows], self.y[rows]
        )
