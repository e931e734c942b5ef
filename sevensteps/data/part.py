"""The samples of one part, for training or for validation."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from sevensteps.data.inputs import select_samples
from sevensteps.data.streaming.streamed_inputs import StreamedInputs


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """The samples of one part: inputs `x`, already scaled, and targets `y` as `Task` stores them.

    `x` is float32, `[N, F]` for tables or `[N, 1 or 3, H, W]` for images; or it stays on disk,
    being larger than memory.
    """

    x: Float[Tensor, "..."] | StreamedInputs
    y: Shaped[Tensor, "..."]

    def __repr__(self) -> str:
        return f"<Part: x {tuple(self.x.shape)}, y {tuple(self.y.shape)}>"

    def __len__(self) -> int:
        return len(self.x)

    def select(self, indices: Int[Tensor, "M"]) -> Part:
        """A part with only the samples at `indices`, ascending."""
        return Part(*select_samples(self.x, self.y, indices))
