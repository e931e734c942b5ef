"""The worst or best samples as a picture: a grid of images with captions, or of tables their losses
as bars.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from sevensteps.explain.sample.answer import said
from sevensteps.explain.sample.figure import OTHER, image
from sevensteps.explain.sample.ranked import Samples

ACROSS = 5
MOST = 25


def draw(answer: Samples) -> Figure:
    """Up to 25 samples: truth, answer and loss of each."""
    ranked = answer.ranked[:MOST]
    title = f"The {'greatest' if answer.which == 'worst' else 'least'} losses in {answer.part} ({answer.loss_name}, mean {answer.mean:.3g})"
    if answer.kind != "image" or len(answer.shape) != 3:
        figure = Figure(figsize=(8, 1.4 + 0.35 * len(ranked)), layout="constrained")
        axes = figure.subplots()
        axes.barh(
            [f"{row.index}: {said(row.truth)}, answered {said(row.answer)}" for row in ranked],
            [row.loss for row in ranked],
            color=OTHER,
        )
        axes.invert_yaxis()
        axes.set(xlabel="loss", ylabel="sample: truth, answer")
        figure.suptitle(title, fontsize=11)
        return figure
    across = min(ACROSS, len(ranked))
    down = -(-len(ranked) // across)
    figure = Figure(figsize=(max(5.0, 1.7 * across), 0.7 + 2.1 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False).flatten()
    for axes, row in zip(grid, ranked, strict=False):
        image(axes, row.input, answer.shape)
        axes.set_title(
            f"{row.index}: {said(row.truth)}, answered {said(row.answer)}\nloss {row.loss:.3g}"
            + (f", p {row.p:.2g}" if row.p is not None else ""),
            fontsize=8,
        )
    for axes in grid:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=11)
    return figure
