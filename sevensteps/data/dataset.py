"""Data: two parts of samples, what is asked of them, and how they came to be what they are."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

from sevensteps.data.part import Part
from sevensteps.data.preprocessing import Inputs
from sevensteps.data.scaling import Scaling, identity
from sevensteps.data.table.columns import Encoding
from sevensteps.task import Task


@dataclass(frozen=True, eq=False)
class Data:
    """What a network is trained and judged on.

    `source` is the notation that makes it again ("digits", "speed(noise=1.0)"); `scaling` turns raw
    inputs into `x`; `target_scaling` turns raw targets into `y` and its `undo` turns a prediction
    back; `features` names the columns of a table; `highest` is the raw value of a fully lit pixel
    of images; `encoding` says how the texts of a file became raw inputs. Checked as it is made:
    raises `DataError` where nothing could be learned from it."""

    source: str
    train: Part
    valid: Part
    task: Task
    scaling: Scaling
    features: tuple[str, ...] = ()
    kind: Literal["image", "table"] = "table"
    about: str = ""
    target_scaling: Scaling = field(default_factory=identity)
    highest: float | None = None
    encoding: Encoding | None = None

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise `DataError` where a part is empty, a number is not finite, a label unknown or a
        class missing.
        """
        from sevensteps.data.checks import check  # it reads Data, so it stands above this file

        check(self)

    @property
    def inputs(self) -> Inputs:
        """What a network trained on these data takes in, and the preprocessing of it."""
        return Inputs(
            tuple(self.train.x.shape[1:]),
            self.kind,
            self.features,
            self.highest,
            self.scaling,
            self.target_scaling,
            self.encoding,
        )

    @functools.cached_property
    def digest(self) -> str:
        """A fingerprint: of all targets and of up to 1,000 samples of each part, evenly spread, to
        the last bit.
        """
        found = hashlib.sha256()
        for part in (self.train, self.valid):
            for tensor in (part.x[:: len(part) // 1000 + 1], part.y):
                found.update(f"{tuple(part.x.shape)} {tensor.dtype}".encode())
                found.update(tensor.cpu().contiguous().numpy().tobytes())
        return found.hexdigest()

    def facts(self) -> dict[str, Any]:
        """What is in the data, as JSON can hold it: shapes, ranges, classes and balance, inputs
        that never vary.
        """
        from sevensteps.data.description import facts

        return facts(self)
