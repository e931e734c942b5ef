"""What a network was trained to take in: kept with a run, so that new inputs meet the same
preprocessing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sevensteps.data.scaling import Scaling
from sevensteps.data.table.columns import Encoding


@dataclass(frozen=True, eq=False)
class Inputs:
    """One input's `shape`, and how raw inputs become what the network is fed.

    `features` names the columns of a table; `highest` is the raw value of a fully lit pixel of
    images. `scaling` turns raw inputs into network inputs; `target_scaling.undo` turns a
    regression's prediction back into raw units. `encoding` makes raw inputs of the texts of a file
    that has categories, dates or gaps."""

    shape: tuple[int, ...]
    kind: Literal["image", "table"]
    features: tuple[str, ...]
    highest: float | None
    scaling: Scaling
    target_scaling: Scaling
    encoding: Encoding | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, to the bit."""
        return {
            "shape": list(self.shape),
            "kind": self.kind,
            "features": list(self.features),
            "highest": self.highest,
            "scaling": self.scaling.to_dict(),
            "target_scaling": self.target_scaling.to_dict(),
            "encoding": None if self.encoding is None else self.encoding.to_dict(),
        }

    @staticmethod
    def from_dict(held: Mapping[str, Any]) -> Inputs:
        """What `to_dict` gave. Raises KeyError, TypeError or ValueError (`DataError` for a scaling)
        where it is something else.
        """
        shape = tuple(int(size) for size in held["shape"])
        if not shape or min(shape) < 1 or held["kind"] not in ("image", "table"):
            raise ValueError(f"inputs of shape {list(shape)} and kind {held['kind']!r}")
        highest = None if held["highest"] is None else float(held["highest"])
        return Inputs(
            shape,
            held["kind"],
            tuple(str(name) for name in held["features"]),
            highest,
            Scaling.from_dict(held["scaling"]),
            Scaling.from_dict(held["target_scaling"]),
            None if held.get("encoding") is None else Encoding.from_dict(held["encoding"]),
        )
