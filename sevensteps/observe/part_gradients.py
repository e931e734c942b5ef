"""How much gradient each part of a loss sends into what several of them share."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LossPart:
    """A part of a loss, and the gradient that it sends.

    `name` is that in `parts=`, or the loss function's; `call` the index of its call in the look's
    `calls`; `contribution` the number that it adds to the loss; `own` the module or parameter that
    only this part trains ("": none); `length` the norm of its gradient at the shared place;
    `passes` the numbers of the forward passes that it is computed from.
    """

    name: str
    call: int | None
    contribution: float | None
    own: str
    length: float
    passes: tuple[int, ...] = ()


@dataclass(frozen=True)
class PartGradients:
    """The gradients of the parts of one loss at the place that they share.

    `place` is the module or parameter that they meet in; `cosines[i][j]` that of the angle between
    two gradients (NaN where one is 0). A `GradScaler` makes all of them longer alike.
    """

    place: str
    parts: tuple[LossPart, ...]
    cosines: tuple[tuple[float, ...], ...]

    def of(self, network: str) -> PartGradients | None:
        """The same in the names of one of several networks; None where they meet elsewhere."""
        start = f"{network}."
        if self.place != network and not self.place.startswith(start):
            return None
        parts = tuple(
            dataclasses.replace(part, own=part.own.removeprefix(start)) for part in self.parts
        )
        return dataclasses.replace(self, place=self.place.removeprefix(start), parts=parts)

    def to_dict(self) -> dict[str, Any]:
        """The gradients as JSON can hold them."""
        record = dataclasses.asdict(self)
        record["cosines"] = [[c if math.isfinite(c) else None for c in row] for row in self.cosines]
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> PartGradients:
        """The gradients that `to_dict` wrote."""
        return cls(
            record["place"],
            tuple(
                LossPart(**{**part, "passes": tuple(part.get("passes", ()))})
                for part in record["parts"]
            ),
            tuple(tuple(math.nan if c is None else c for c in row) for row in record["cosines"]),
        )
