"""Scaling: how raw inputs become what a network is fed.

It is learned on the training part and stored with the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from sevensteps.arguments import one_of
from sevensteps.data.statistics import RunningStatistics
from sevensteps.errors import DataError, ShapeError

SCALINGS = ("none", "standardize", "unit")


@dataclass(frozen=True, eq=False)
class Scaling:
    """x = (raw - offset) / scale.

    `offset` and `scale` are float64: one number per column `[F]` of a table, one per channel `[C,
    1, 1]` of images, or one for all `[]`. `name` says how they were found: "none", "standardize" or
    "unit".
    """

    name: str
    offset: Float[Tensor, "..."]
    scale: Float[Tensor, "..."]

    def __call__(self, raw: Shaped[Tensor, "N ..."]) -> Float[Tensor, "N ..."]:
        """Raw inputs as the network takes them, float32. Raises `ShapeError` where the columns are
        not those learned on.
        """
        self._check_columns(raw)
        # Tables may hold years or prices, whose differences float32 would round away before the
        # offset is taken off; pixels lose nothing in float32, and MNIST in float64 would take 380
        # MB.
        x = raw.to(torch.float64 if raw.ndim <= 2 else torch.float32, copy=True)
        return x.sub_(self.offset.to(x)).div_(self.scale.to(x)).to(torch.float32)

    def undo(self, x: Float[Tensor, "N ..."]) -> Float[Tensor, "N ..."]:
        """raw = x scale + offset, float32."""
        self._check_columns(x)
        return (x.double() * self.scale.to(x.device) + self.offset.to(x.device)).to(torch.float32)

    def undo_as_written(self, x: Float[Tensor, "N ..."]) -> Float[Tensor, "N ..."]:
        """raw = x scale + offset, float64, rounded to the digits that float32 has kept: what was
        written as 81.5 is 81.5 again.
        """
        self._check_columns(x)
        moved = x.double() * self.scale.to(x.device)
        error = moved.abs() * torch.finfo(torch.float32).eps
        digits = 10 ** (-error.clamp_min(1e-30).log10()).floor().clamp(-30, 15)
        return ((moved + self.offset.to(x.device)) * digits).round() / digits

    def _check_columns(self, raw: Tensor) -> None:
        if self.offset.ndim == 0:
            return
        dim = 1 if raw.ndim > 1 else 0  # columns of a table, channels of images
        if raw.ndim != self.offset.ndim + 1 or raw.shape[dim] != len(self.offset):
            columns = "columns" if self.offset.ndim == 1 else "channels"
            raise ShapeError(
                f"inputs of shape {list(raw.shape)} against a scaling learned on "
                f"{len(self.offset)} {columns}; "
                f"give the {columns} that the training had, in its order"
            )

    def to_dict(self) -> dict[str, Any]:
        """The scaling as JSON holds it, to the bit: Python prints every float64 so that it reads
        back the same.
        """
        return {"name": self.name, "offset": self.offset.tolist(), "scale": self.scale.tolist()}

    @staticmethod
    def from_dict(stored: Mapping[str, Any]) -> Scaling:
        """The scaling that `to_dict` wrote. Raises `DataError` for anything else."""
        try:
            name = one_of("scaling", stored["name"], SCALINGS)
            offset, scale = (
                torch.tensor(stored[key], dtype=torch.float64) for key in ("offset", "scale")
            )
        except (KeyError, TypeError, ValueError) as failure:
            raise DataError(
                f"the stored scaling cannot be read ({failure}); it needs name, offset and scale"
            ) from None
        if offset.shape != scale.shape or not bool(
            offset.isfinite().all() and scale.isfinite().all() and (scale != 0).all()
        ):
            raise DataError(
                "the stored scaling is damaged: offset and scale must be finite, of one shape, "
                "and scale not 0"
            )
        return Scaling(name, offset, scale)


def identity_scaling() -> Scaling:
    """The scaling that changes nothing: x = raw."""
    return Scaling(
        "none", torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    )


def fit_scaling(
    name: str, raw: Shaped[Tensor, "N ..."] | RunningStatistics, highest: float | None = None
) -> Scaling:
    """The scaling called `name`, from the raw training part or its statistics.

    - none: x = raw
    - standardize: x = (raw - mean) / std (std as `Tensor.std` has it), for each column of a table,
      for each channel of images over all pixels
    - unit: x = raw / `highest`, the value known to be the largest possible; where none is known,
      the largest |raw| of each column of the training part

    What does not vary is left with scale 1, not divided by 0.
    """
    one_of("scale", name, SCALINGS)
    if name == "none" or (isinstance(raw, Tensor) and raw.numel() == 0):
        return identity_scaling()
    if name == "unit" and highest is not None:
        offset, scale = torch.zeros(()), torch.tensor(float(highest))
    elif isinstance(raw, RunningStatistics):
        low, high = raw.low, raw.high
        if name == "unit":
            offset, scale = torch.zeros_like(low), torch.maximum(low.abs(), high.abs())
        else:
            offset, scale = (
                torch.where(low == high, low, raw.mean),
                torch.where(low == high, 0.0, raw.std(correction=1)),
            )
    elif name == "unit":
        over = (0,) if raw.ndim <= 2 else (0, 2, 3)
        scale = raw.double().abs().amax(over, keepdim=True)[0]
        offset = torch.zeros_like(scale)
    else:
        over = (0,) if raw.ndim <= 2 else (0, 2, 3)
        values = raw.double()
        low, high = values.amin(over, keepdim=True)[0], values.amax(over, keepdim=True)[0]
        # The mean of equal numbers can round to a neighbour of theirs, and their std to a little
        # more than 0.
        offset = torch.where(low == high, low, values.mean(over, keepdim=True)[0])
        # PyTorch's std divides by n - 1; a single number has none
        correction = int(values.numel() > values.shape[1])
        std = values.std(over, correction=correction, keepdim=True)[0]
        scale = torch.where(low == high, 0.0, std)
    # inputs that are not finite are refused with their place, later
    if bool(offset.isfinite().all()) and bool(scale.isinf().any()):
        raise DataError(
            f"{name}: the inputs reach {float(offset.abs().max()):.0e} and more, whose squares no "
            "number holds; divide them first"
        )
    return Scaling(
        name, offset.double(), torch.where(scale == 0, torch.ones_like(scale), scale).double()
    )
