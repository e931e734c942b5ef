"""A call of one of PyTorch's functions in a step that was looked at, and the terms of its loss."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from sevensteps.observe.loss_graph import Operation

# losses that compare number with number, and broadcast shapes that differ
ELEMENTWISE_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


@dataclass(frozen=True)
class Call:
    """One call: of which function, from where, with what.

    `name` is PyTorch's ("cross_entropy", "softmax"), `kind` what it does ("loss", "softmax",
    "sigmoid", "dropout", "norm", "attention", "embedding", "activation", "reduction", "math",
    "index", "broadcast"). `shapes` and `dtypes` are those of its tensors by parameter; `options`
    what else it was given, by parameter: numbers, flags, and small tensors as lists. `content` says
    what the numbers were, such as "target.low" (in full looks), and whether a loss was given the
    output as its target, and no output ("exchanged"). `where` is the first line outside
    of PyTorch, `network` the network whose forward pass it belongs to (None: outside of all). The
    same call from the same line is counted in `count`.
    """

    name: str
    kind: str
    where: str = ""
    network: str | None = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)
    count: int = 1

    @property
    def dim(self) -> int | None:
        """The axis that it works along, counted from the front; None where it has none."""
        dim, shape = self.options.get("dim"), next(iter(self.shapes.values()), ())
        if not isinstance(dim, int):
            return None
        return dim + len(shape) if dim < 0 else dim

    @property
    def size_along_dim(self) -> int | None:
        """How many numbers lie along `dim`; None where there is none."""
        shape, dim = next(iter(self.shapes.values()), ()), self.dim
        return shape[dim] if dim is not None and 0 <= dim < len(shape) else None

    @property
    def broadcasts(self) -> bool:
        """Whether it compares input and target of different shapes number by number."""
        return (
            self.name in ELEMENTWISE_LOSSES
            and "target" in self.shapes
            and self.shapes.get("input") != self.shapes["target"]
        )

    @property
    def ignored(self) -> float:
        """The share of the targets that are `ignore_index`."""
        return float(self.content.get("target.ignored", 0.0))

    def to_dict(self) -> dict[str, Any]:
        """The call as JSON can hold it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Call:
        """The call that `to_dict` wrote."""
        shapes = {name: tuple(shape) for name, shape in record["shapes"].items()}
        return cls(**{**record, "shapes": shapes})


@dataclass(frozen=True)
class LossTerm:
    """One of the terms that a loss is the sum of.

    `name` is the loss function's, "Categorical.log_prob" and the like of a distribution, "output"
    of a network's bare output, "penalty" of what only the parameters go into, else PyTorch's name
    of the operation that ends it. `call` is the index of the loss function's call in the look's
    `calls` (None: another way of computing it). `factor` is what it is multiplied by in the loss
    (None: unknown), `contribution` the number that it adds. `total` counts the backward passes of
    the step.

    `network` and `output` say which network's output it is computed from (None: of none that is
    watched), `sources` all of them; `ending` are the operations from the network's last weights to
    that output, `operations` those from there to this term, `weighting` those from this term to the
    loss, with "MaskMul" for a product with zeros and ones, "SignedMul" for one with numbers of both
    signs. `target` says what it is compared with: "data", "input" (the network's own), "shifted
    input", "constant", "positions" (0, 1, 2, …), "network" (another answer, without gradient),
    "output" (with gradient), None: nothing that is known. `passes` are the numbers of the forward
    passes that it is computed from.
    """

    name: str
    call: int | None = None
    factor: float | None = 1.0
    contribution: float | None = None
    total: int = 0
    network: str | None = None
    output: str = ""
    sources: tuple[str, ...] = ()
    ending: tuple[Operation, ...] = ()
    operations: tuple[Operation, ...] = ()
    weighting: tuple[Operation, ...] = ()
    target: str | None = None
    count: int = 1
    passes: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The term as JSON can hold it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> LossTerm:
        """The term that `to_dict` wrote."""
        paths = {
            name: tuple(Operation(**operation) for operation in record[name])
            for name in ("ending", "operations", "weighting")
        }
        numbers = {"passes": tuple(record.get("passes", ()))}
        return cls(**{**record, **paths, **numbers, "sources": tuple(record["sources"])})
