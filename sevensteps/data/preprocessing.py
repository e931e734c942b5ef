"""What a network was trained to take in, stored with the run.

New inputs are preprocessed as those that it was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sevensteps.data.scaling import Scaling
from sevensteps.data.table.column_encoding import Encoding


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """One input's `shape`, and how raw inputs become what the network is fed.

    `features` names the columns of a table; `highest` is the raw value of a fully lit pixel of
    images. `scaling` turns raw inputs into network inputs; `target_scaling.undo` turns a
    regression's prediction back into raw units. `encoding` makes raw inputs of the texts of a file
    that has categories, dates or gaps.
    """

    shape: tuple[int, ...]
    kind: Literal["image", "table"]
    features: tuple[str, ...]
    highest: float | None
    scaling: Scaling
    target_scaling: Scaling
    encoding: Encoding | None = None

    def to_dict(self) -> dict[str, Any]:
        """The preprocessing as JSON holds it, to the bit."""
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
    def from_dict(stored: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that `to_dict` wrote. Raises KeyError, TypeError or ValueError
        (`DataError` for a scaling) where it is something else.
        """
        shape = tuple(int(size) for size in stored["shape"])
        if not shape or min(shape) < 1 or stored["kind"] not in ("image", "table"):
            raise ValueError(f"inputs of shape {list(shape)} and kind {stored['kind']!r}")
        highest = None if stored["highest"] is None else float(stored["highest"])
        return Preprocessing(
            shape,
            stored["kind"],
            tuple(str(name) for name in stored["features"]),
            highest,
            Scaling.from_dict(stored["scaling"]),
            Scaling.from_dict(stored["target_scaling"]),
            None if stored.get("encoding") is None else Encoding.from_dict(stored["encoding"]),
        )
