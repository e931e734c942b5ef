"""`Data`: a training and a validation part, the task, and how raw values were preprocessed."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from sevensteps.data.checks import check_parts
from sevensteps.data.description import count_constant_inputs, describe_part, dtype_name
from sevensteps.data.duplicates import count_duplicates, count_duplicates_on_disk
from sevensteps.data.part import Part
from sevensteps.data.preprocessing import Preprocessing
from sevensteps.data.scaling import Scaling, identity_scaling
from sevensteps.data.table.column_encoding import Encoding
from sevensteps.task import Task


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """What a network is trained and judged on.

    `source` is the notation that loads it again ("digits", "speed(noise=1.0)"); `scaling` turns raw
    inputs into `x`; `target_scaling` turns raw targets into `y` and its `undo` turns a prediction
    back; `features` names the columns of a table; `highest` is the raw value of a fully lit pixel
    of images; `encoding` says how the texts of a file became raw inputs, `notes` what was done to
    its table, or to the pictures, a line each. Raises `DataError` where nothing could be learned
    from it.
    """

    source: str
    train: Part
    valid: Part
    task: Task
    scaling: Scaling
    features: tuple[str, ...] = ()
    kind: Literal["image", "table"] = "table"
    about: str = ""
    target_scaling: Scaling = field(default_factory=identity_scaling)
    highest: float | None = None
    encoding: Encoding | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.check()

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.train.x.shape[1:]))
        return (
            f"<Data {self.source}: {len(self.train):,} training and {len(self.valid):,} validation "
            f"samples, inputs {shape}, {self.task.kind}>"
        )

    def check(self) -> None:
        """Raise `DataError` where a part is empty, a number is not finite, a label unknown or a
        class missing.
        """
        check_parts(self.source, self.train, self.valid, self.task, self.features)

    @property
    def inputs(self) -> Preprocessing:
        """What a network trained on these data takes in, and the preprocessing of it."""
        return Preprocessing(
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
        sha = hashlib.sha256()
        for part in (self.train, self.valid):
            for tensor in (part.x[:: len(part) // 1000 + 1], part.y):
                sha.update(f"{tuple(part.x.shape)} {tensor.dtype}".encode())
                sha.update(tensor.cpu().contiguous().numpy().tobytes())
        return sha.hexdigest()

    @functools.cached_property
    def duplicates(self) -> int | None:
        """How many validation inputs equal a training input in every number.

        None where there are too many to compare, or where they stay on disk: `facts` counts those
        too, in a pass over the file.
        """
        x, other = self.train.x, self.valid.x
        if isinstance(x, Tensor) and isinstance(other, Tensor):
            return count_duplicates(x, other)
        return None

    @functools.cached_property
    def cache(self) -> dict[Hashable, Any]:
        """What was worked out about these data, for all trainings on them: whoever asks for what
        takes long and depends on the data alone keeps it here, under a name of its own.
        """
        return {}

    def facts(self) -> dict[str, Any]:
        """What is in the data, as JSON can hold it: shapes, ranges, classes and balance, inputs
        that never vary, samples met in both parts. Inputs and targets as the network gets them,
        scaled.
        """
        x, other = self.train.x, self.valid.x
        in_memory = isinstance(x, Tensor) and isinstance(other, Tensor)
        constant, always_zero = count_constant_inputs(x, self.scaling)
        return {
            "source": self.source,
            "about": self.about,
            "notes": list(self.notes),
            "kind": self.kind,
            "task": {
                "kind": self.task.kind,
                "targets": self.task.targets,
                "classes": list(self.task.classes),
                "reason": self.task.reason,
            },
            "shape": list(x.shape[1:]),
            "inputs": math.prod(x.shape[1:]),
            "features": list(self.features),
            "dtype": dtype_name(x),
            "target_dtype": dtype_name(self.train.y),
            "scaling": self.scaling.to_dict(),
            "target_scaling": self.target_scaling.to_dict(),
            "train": describe_part(self.train, self.task),
            "valid": describe_part(self.valid, self.task),
            "always_zero_inputs": always_zero,
            "constant_inputs": constant,
            "duplicates": self.duplicates if in_memory else count_duplicates_on_disk(x, other),
        }
