"""The forward pass as shapes: what each layer makes of its input, axis by axis, and what it
holds.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.explain.base import Explanation
from sevensteps.explain.subject import Subject

BATCH = 64  # samples shown where the recipe takes all at once


@dataclass(frozen=True)
class Row:
    """A layer: `output` is its activations' shape, `axes` what each axis counts; `parameters` are shapes by name, with their words."""

    name: str
    kind: str
    output: tuple[int, ...]
    axes: tuple[str, ...]
    parameters: dict[str, tuple[int, ...]]
    formula: str
    broadcast: str

    @property
    def held(self) -> int:
        """Parameters of the layer."""
        return sum(torch.Size(shape).numel() for shape in self.parameters.values())


@dataclass(frozen=True)
class Shapes(Explanation):
    """The forward pass of one batch. `bytes_each` is what one number takes."""

    batch: int
    input: tuple[int, ...]
    axes: tuple[str, ...]
    rows: tuple[Row, ...]
    bytes_each: int

    @property
    def parameters(self) -> int:
        """All parameters: numbers that are kept from step to step and learned."""
        return sum(row.held for row in self.rows)

    @property
    def activations(self) -> int:
        """All activations of a batch: numbers that are computed anew for each."""
        return sum(torch.Size(row.output).numel() for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "parameters": self.parameters, "activations": self.activations}


def shapes(subject: Subject) -> Shapes:
    """The forward pass of one batch of this training, layer by layer."""
    x, _ = subject.part("train")
    size = getattr(subject.recipe.repeat, "size", min(BATCH, len(x)))
    batch = x[:size]
    rows = []
    network = copy.deepcopy(subject.network).eval()
    seen: dict[str, Tensor] = {}
    handles = [module.register_forward_hook(_keep(seen, name)) for name, module in _named(network)]
    with torch.no_grad():
        network(batch)
    for handle in handles:
        handle.remove()
    for name, module in _named(network):
        if name in seen:
            rows.append(_row(name, module, tuple(seen[name].shape)))
    axes = (
        ("samples", "channels", "height", "width") if batch.ndim == 4 else ("samples", "features")
    )
    return Shapes(
        len(batch), tuple(batch.shape), axes[: batch.ndim], tuple(rows), batch.element_size()
    )


def _named(network: nn.Module) -> list[tuple[str, nn.Module]]:
    return [
        (name or type(module).__name__, module)
        for name, module in network.named_modules()
        if not any(module.children())
    ]


def _keep(seen: dict[str, Tensor], name: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            seen[name] = output

    return hook


def _row(name: str, module: nn.Module, output: tuple[int, ...]) -> Row:
    known = {2: ("samples", "units"), 4: ("samples", "channels", "height", "width")}
    axes = known.get(len(output), ("samples", *("?",) * (len(output) - 1)))
    parameters = {key: tuple(p.shape) for key, p in module.named_parameters(recurse=False)}
    formula = broadcast = ""
    if isinstance(module, nn.Linear) and len(output) == 2:
        formula = (
            f"y = x Wᵀ + b: {bracketed((output[0], module.in_features))} by "
            f"{bracketed((module.in_features, module.out_features))} "
            f"gives {bracketed(output)}"
        )
        if module.bias is not None:
            broadcast = f"b {bracketed((module.out_features,))} is one number per unit, added to each of the {output[0]} samples (broadcast)"
    return Row(name, type(module).__name__, output, axes, parameters, formula, broadcast)


def bracketed(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"
