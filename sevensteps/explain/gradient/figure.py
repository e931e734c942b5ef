"""Gradients as pictures: one number with its factors, and the backward pass layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy
from torch import Tensor

from sevensteps.explain.gradient.answer import Gradient
from sevensteps.explain.gradient.backward import Backward
from sevensteps.render.figures import current_palette, diverging, draw_figure, headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 30  # times the smallest: beyond it sizes are drawn on a scale of powers of ten


@draw_figure.register(Gradient)
def draw_gradient(answer: Gradient, figure: Figure) -> None:
    """Weights, gradient, factors of the strongest path (or, without written derivatives, only the
    first two).
    """
    path = answer.paths[0] if answer.paths else None
    figure.set_size_inches(13 if path else 8, 3.8)
    panels = figure.subplots(1, 3 if path else 2, width_ratios=[1, 1, 1.1] if path else [1, 1])
    for axes, tensor, what in (
        (panels[0], answer.weights, "weights"),
        (panels[1], answer.gradients, "gradient"),
    ):
        heat(
            figure,
            axes,
            tensor,
            answer.index,
            answer.input_shape,
            f"{answer.parameter}: {what}",
            "weight" if what == "weights" else "dL/d(weight)",
        )
    if path:
        labels = [f"∂{factor.of}/∂{factor.by}" for factor in path.factors]
        values = [factor.value for factor in path.factors]
        panels[2].barh(labels, values, color=current_palette()["expected"])
        for row, value in enumerate(values):
            panels[2].annotate(
                f"{value:.3g}",
                (value, row),
                xytext=(3 if value >= 0 else -3, 0),
                textcoords="offset points",
                va="center",
                ha="left" if value >= 0 else "right",
                fontsize=8,
            )
        panels[2].margins(x=0.25)
        panels[2].invert_yaxis()
        panels[2].tick_params(axis="y", labelsize=7)
        panels[2].axvline(0, color=current_palette()["ink-soft"], linewidth=0.8)
        panels[2].set(xlabel="factor", ylabel="from the loss back")
        panels[2].set_title(f"the strongest path: product {path.product:.3g}")
    headline(figure, f"∂L/∂{answer.name} = {answer.autograd:.4g}")


@draw_figure.register(Backward)
def draw_backward(answer: Backward, figure: Figure) -> None:
    """Bars from the last layer to the first; weights and gradient of the first layer that has
    any.
    """
    name = next(
        (key for key, p in answer.weights.items() if key in answer.gradients and p.ndim >= 2),
        None,
    )
    figure.set_size_inches(13 if name else 6, 3.8)
    panels = figure.subplots(1, 3 if name else 1, squeeze=False)[0]
    rows = [row for row in answer.layers if row.slope > 0]
    panels[0].barh(
        [row.name for row in rows], [row.slope for row in rows], color=current_palette()["expected"]
    )
    panels[0].invert_yaxis()
    if rows and max(row.slope for row in rows) > WIDE * min(row.slope for row in rows):
        panels[0].set_xscale("log")
    panels[0].set(xlabel="|dL/d(output of the layer)|", ylabel="from the loss back")
    panels[0].set_title("size of the gradient by layer")
    if name:
        weights, gradients = answer.weights[name], answer.gradients[name]
        flat = int(gradients.abs().argmax())
        index: tuple[int, ...] | None = None
        if weights.ndim == 2:
            index = divmod(flat, weights.shape[1])
        elif weights.ndim == 4:
            out, rest = divmod(flat, weights[0].numel())
            into, rest = divmod(rest, weights[0, 0].numel())
            index = (out, into, *divmod(rest, weights.shape[3]))
        for axes, tensor, what in (
            (panels[1], weights, "weights"),
            (panels[2], gradients, "gradient"),
        ):
            heat(
                figure,
                axes,
                tensor,
                index,
                answer.input_shape,
                f"{name}: {what}",
                "weight" if what == "weights" else "dL/d(weight)",
            )
    count = len(answer.samples)
    whose = f"sample {answer.samples[0]:,}" if count == 1 else f"{count:,} samples"
    headline(figure, f"Backward pass: {whose} of {answer.part}, loss {answer.loss:.4g}")


def heat(
    figure: Figure,
    axes: Any,
    tensor: Tensor,
    index: tuple[int, ...] | None,
    input_shape: tuple[int, ...],
    title: str,
    unit: str,
) -> None:
    """A parameter as a heat map, orange above 0 and blue below. Of weights over an image those of
    one unit, laid out as the image; of a filter the one named by `index`, which is marked.
    """
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import MaxNLocator

    values, mark, labels, of = _laid_out(tensor, index, input_shape)
    limit = float(numpy.abs(values).max()) or 1.0
    shown = axes.imshow(
        values,
        cmap=diverging(),
        vmin=-limit,
        vmax=limit,
        aspect="auto" if labels[1] == "unit" else "equal",
        interpolation="nearest",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    if mark is not None:
        axes.add_patch(
            Rectangle(
                (mark[1] - 0.5, mark[0] - 0.5),
                1,
                1,
                fill=False,
                edgecolor=current_palette()["ink"],
                linewidth=1.5,
            )
        )
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.set_title(title + of)
    figure.colorbar(shown, ax=axes, label=unit)


def _laid_out(
    tensor: Tensor, index: tuple[int, ...] | None, input_shape: tuple[int, ...]
) -> tuple[Any, tuple[int, int] | None, tuple[str, str], str]:
    """Rows and columns of a parameter, the (row, column) of `index` in them, what the axes are, and
    what part of it this is.
    """
    if tensor.ndim == 4:  # a filter, over one channel of its input
        out, into, row, column = index or (0, 0, 0, 0)
        of = f", filter {out}, channel {into}"
        return (
            tensor[out, into].numpy(),
            (row, column) if index else None,
            ("column of the filter", "row of the filter"),
            of,
        )
    if (
        tensor.ndim == 2
        and index is not None
        and len(input_shape) == 3
        and input_shape[0] * input_shape[1] * input_shape[2] == tensor.shape[1]
    ):
        channel, within = divmod(index[1], input_shape[1] * input_shape[2])
        image = tensor[index[0]].view(input_shape)[channel].numpy()
        return (
            image,
            divmod(within, input_shape[2]),
            ("column (pixels)", "row (pixels)"),
            f", unit {index[0]}",
        )
    if tensor.ndim == 2:
        return tensor.numpy(), (index[0], index[1]) if index else None, ("input", "unit"), ""
    flat = tensor.reshape(-1, 1).numpy()
    return flat, (index[0], 0) if index else None, ("", "unit"), ""
