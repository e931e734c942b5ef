"""The forward pass as shapes: the output of each layer, axis by axis, and its parameters."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.layer_calls import capture_outputs, leaf_modules
from sevensteps.explain.base import Explanation
from sevensteps.explain.subject import Subject

DEFAULT_BATCH = 64  # samples shown where the recipe takes all at once


@dataclass(frozen=True)
class LayerShapes:
    """A layer: `output` is the shape of its activations, `axes` what each axis counts.

    `parameters` are their shapes by name; `formula` and `broadcast` say how they are used.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    axes: tuple[str, ...]
    parameters: dict[str, tuple[int, ...]]
    formula: str
    broadcast: str

    @property
    def count(self) -> int:
        """How many parameters the layer has."""
        return sum(torch.Size(shape).numel() for shape in self.parameters.values())


@dataclass(frozen=True)
class Shapes(Explanation):
    """The shapes of one forward pass of one batch. `bytes_each` is the size of one number."""

    batch: int
    input: tuple[int, ...]
    axes: tuple[str, ...]
    rows: tuple[LayerShapes, ...]
    bytes_each: int

    @property
    def parameters(self) -> int:
        """How many parameters there are: numbers that are learned."""
        return sum(row.count for row in self.rows)

    @property
    def activations(self) -> int:
        """How many activations a batch has: computed anew for each batch."""
        return sum(torch.Size(row.output).numel() for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "parameters": self.parameters, "activations": self.activations}


def shapes(subject: Subject) -> Shapes:
    """The forward pass of one batch of this training, layer by layer."""
    x, _ = subject.part("train")
    size = getattr(subject.recipe.repeat, "size", min(DEFAULT_BATCH, len(x)))
    batch = x[:size]
    rows = []
    network = copy.deepcopy(subject.network).eval()
    with torch.no_grad():
        _, calls = capture_outputs(network, batch)
    outputs = {call.name: call.output for call in calls if isinstance(call.output, Tensor)}
    for name, module in leaf_modules(network):
        if name in outputs:
            rows.append(_layer_shapes(name, module, tuple(outputs[name].shape)))
    axes = (
        ("samples", "channels", "height", "width") if batch.ndim == 4 else ("samples", "features")
    )
    return Shapes(
        len(batch), tuple(batch.shape), axes[: batch.ndim], tuple(rows), batch.element_size()
    )


def _layer_shapes(name: str, module: nn.Module, output: tuple[int, ...]) -> LayerShapes:
    by_rank = {2: ("samples", "units"), 4: ("samples", "channels", "height", "width")}
    axes = by_rank.get(len(output), ("samples", *("?",) * (len(output) - 1)))
    parameters = {key: tuple(p.shape) for key, p in module.named_parameters(recurse=False)}
    formula = broadcast = ""
    if isinstance(module, nn.Linear) and len(output) == 2:
        formula = (
            f"y = x Wᵀ + b: {shape_text((output[0], module.in_features))} by "
            f"{shape_text((module.in_features, module.out_features))} "
            f"gives {shape_text(output)}"
        )
        if module.bias is not None:
            broadcast = (
                f"b {shape_text((module.out_features,))} is one number per unit, added to each of "
                f"the {output[0]} samples (broadcast)"
            )
    return LayerShapes(name, type(module).__name__, output, axes, parameters, formula, broadcast)


def shape_text(shape: tuple[int, ...]) -> str:
    """`[64, 30]`."""
    return "[" + ", ".join(map(str, shape)) + "]"
