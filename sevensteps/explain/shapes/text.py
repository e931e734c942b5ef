"""The forward pass as shapes, on one screen."""

from __future__ import annotations

import torch

from sevensteps.explain.base import render_text
from sevensteps.explain.shapes.answer import Shapes, shape_text
from sevensteps.render.text import count_text, wrap


@render_text.register(Shapes)
def render_shapes(shapes: Shapes, width: int) -> str:
    """A line for each layer with its shape, then its parameters and what it computes."""
    lines = [
        f"A batch of {shapes.batch}: input {shape_text(shapes.input)}, rank {len(shapes.input)} "
        f"({' × '.join(shapes.axes)})",
        "",
    ]
    label = max(len(f"{row.name} {row.kind}") for row in shapes.rows)
    for row in shapes.rows:
        lines += wrap(
            f"{f'{row.name} {row.kind}':<{label}}  {shape_text(row.output)}  "
            f"{' × '.join(row.axes)}",
            width,
        )
        for name, shape in row.parameters.items():
            lines += wrap(
                f"{name} {shape_text(shape)}: {count_text(torch.Size(shape).numel(), 'parameter')}",
                width,
                "    ",
            )
        if row.formula:
            lines += wrap(row.formula, width, "    ")
        if row.broadcast:
            lines += wrap(row.broadcast, width, "    ")
    lines += [
        "",
        *wrap(
            f"{count_text(shapes.parameters, 'parameter')} "
            f"({_bytes(shapes.parameters * shapes.bytes_each)}): learned, kept from step to step. "
            f"{count_text(shapes.activations, 'activation')} "
            f"({_bytes(shapes.activations * shapes.bytes_each)}): computed anew for each batch.",
            width,
            further="",
        ),
    ]
    return "\n".join(lines)


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
