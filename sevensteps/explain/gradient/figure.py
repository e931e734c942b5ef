"""One gradient as a picture: the weights of its unit and their gradients side by side, and its
factors as bars.
"""

from __future__ import annotations

from typing import Any

import numpy
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from sevensteps.explain.gradient.answer import Gradient

SHARE = "#2a6fbb"


def draw(answer: Gradient) -> Figure:
    """Weights, gradient, factors of the strongest path (or, without written derivatives, only the
    first two).
    """
    path = answer.paths[0] if answer.paths else None
    figure = Figure(figsize=(13 if path else 8, 3.8), layout="constrained")
    panels = figure.subplots(1, 3 if path else 2, width_ratios=[1, 1, 1.1] if path else [1, 1])
    for axes, held, what in (
        (panels[0], answer.weights, "weights"),
        (panels[1], answer.gradients, "gradient"),
    ):
        heat(
            figure,
            axes,
            held,
            answer.index,
            answer.input_shape,
            f"{answer.parameter}: {what}",
            "weight" if what == "weights" else "dL/d(weight)",
        )
    if path:
        labels = [f"∂{factor.of}/∂{factor.by}" for factor in path.factors]
        values = [factor.value for factor in path.factors]
        panels[2].barh(labels, values, color=SHARE)
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
        panels[2].axvline(0, color="black", linewidth=0.8)
        panels[2].set(xlabel="factor", ylabel="from the loss back")
        panels[2].set_title(f"the strongest path: product {path.product:.3g}", fontsize=9)
    figure.suptitle(f"∂L/∂{answer.name} = {answer.autograd:.4g}", fontsize=11)
    return figure


def heat(
    figure: Figure,
    axes: Any,
    held: Tensor,
    index: tuple[int, ...] | None,
    input_shape: tuple[int, ...],
    title: str,
    unit: str,
) -> None:
    """A parameter as a heat map, red above 0 and blue below. Of weights over an image those of one
    unit, laid out as the image; of a filter the one named by `index`, which is marked."""
    values, mark, labels, of = _laid_out(held, index, input_shape)
    limit = float(numpy.abs(values).max()) or 1.0
    shown = axes.imshow(
        values,
        cmap="RdBu_r",
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
                (mark[1] - 0.5, mark[0] - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=1.5
            )
        )
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.set_title(title + of, fontsize=9)
    figure.colorbar(shown, ax=axes, label=unit)


def _laid_out(
    held: Tensor, index: tuple[int, ...] | None, input_shape: tuple[int, ...]
) -> tuple[Any, tuple[int, int] | None, tuple[str, str], str]:
    """Rows and columns of a parameter, the (row, column) of `index` in them, what the axes are, and
    what part of it this is.
    """
    if held.ndim == 4:  # a filter, over one channel of its input
        out, into, row, column = index or (0, 0, 0, 0)
        of = f", filter {out}, channel {into}"
        return (
            held[out, into].numpy(),
            (row, column) if index else None,
            ("column of the filter", "row of the filter"),
            of,
        )
    if (
        held.ndim == 2
        and index is not None
        and len(input_shape) == 3
        and input_shape[0] * input_shape[1] * input_shape[2] == held.shape[1]
    ):
        channel, within = divmod(index[1], input_shape[1] * input_shape[2])
        image = held[index[0]].view(input_shape)[channel].numpy()
        return (
            image,
            divmod(within, input_shape[2]),
            ("column (pixels)", "row (pixels)"),
            f", unit {index[0]}",
        )
    if held.ndim == 2:
        return held.numpy(), (index[0], index[1]) if index else None, ("input", "unit"), ""
    flat = held.reshape(-1, 1).numpy()
    return flat, (index[0], 0) if index else None, ("", "unit"), ""
