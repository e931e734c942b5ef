"""The backward pass as a picture: the size of the gradient at every layer, and one parameter's
gradient beside its values.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from sevensteps.explain.gradient.backward import Backward
from sevensteps.explain.gradient.figure import SHARE, heat

WIDE = 30  # times the smallest: beyond it sizes are drawn on a scale of powers of ten


def draw(answer: Backward) -> Figure:
    """Bars from the last layer to the first; weights and gradient of the first layer that has
    any.
    """
    name = next(
        (key for key, held in answer.weights.items() if key in answer.gradients and held.ndim >= 2),
        None,
    )
    figure = Figure(figsize=(13 if name else 6, 3.8), layout="constrained")
    panels = figure.subplots(1, 3 if name else 1, squeeze=False)[0]
    rows = [row for row in answer.layers if row.slope > 0]
    panels[0].barh([row.name for row in rows], [row.slope for row in rows], color=SHARE)
    panels[0].invert_yaxis()
    if rows and max(row.slope for row in rows) > WIDE * min(row.slope for row in rows):
        panels[0].set_xscale("log")
    panels[0].set(xlabel="|dL/d(output of the layer)|", ylabel="from the loss back")
    panels[0].set_title("size of the gradient by layer", fontsize=9)
    if name:
        held, slopes = answer.weights[name], answer.gradients[name]
        flat = int(slopes.abs().argmax())
        index: tuple[int, ...] | None = None
        if held.ndim == 2:
            index = divmod(flat, held.shape[1])
        elif held.ndim == 4:
            out, rest = divmod(flat, held[0].numel())
            into, rest = divmod(rest, held[0, 0].numel())
            index = (out, into, *divmod(rest, held.shape[3]))
        for axes, values, what in ((panels[1], held, "weights"), (panels[2], slopes, "gradient")):
            heat(
                figure,
                axes,
                values,
                index,
                answer.input_shape,
                f"{name}: {what}",
                "weight" if what == "weights" else "dL/d(weight)",
            )
    count = len(answer.samples)
    whose = f"sample {answer.samples[0]:,}" if count == 1 else f"{count:,} samples"
    figure.suptitle(f"Backward pass: {whose} of {answer.part}, loss {answer.loss:.4g}", fontsize=11)
    return figure
