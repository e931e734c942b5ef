"""The loss surface drawn: the slice with the path over it, and the forecast beside what came."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sevensteps.explain.surface.answer import Surface
from sevensteps.explain.surface.slice import LossSlice
from sevensteps.render.figures import current_palette, draw_figure, sequential

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = 24


@draw_figure.register(Surface)
def draw_surface(surface: Surface, figure: Figure) -> None:
    """Contours of the loss along two directions, and the forecast."""
    figure.set_size_inches(11, 4.6)
    if surface.plane is None:
        _forecast(figure.subplots(), surface)
        return
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
    _slice(figure, left, surface.plane)
    _forecast(right, surface)


def _slice(figure: Figure, axes: Axes, plane: LossSlice) -> None:
    from matplotlib.ticker import NullLocator

    colours = current_palette()
    losses = np.ma.masked_invalid(np.array(plane.losses))
    low, high = float(losses.min()), float(losses.max())
    wide = low > 0 and high > 10 * low
    levels = np.geomspace(low, high, LEVELS) if wide else np.linspace(low, high, LEVELS)
    shown = axes.contourf(
        plane.across,
        plane.up,
        losses,
        levels=levels,
        cmap=sequential(),
        norm="log" if wide else None,
    )
    axes.contour(plane.across, plane.up, losses, levels=levels, colors="white", linewidths=0.4)
    if high > low:
        bar = figure.colorbar(shown, ax=axes, format="%.3g")
        bar.set_ticks(list(levels[::4]))
        bar.ax.yaxis.set_minor_locator(NullLocator())
    if plane.path:
        across, up = [a for _, a, _ in plane.path], [b for _, _, b in plane.path]
        line = "path of the training" if plane.again else "start to end"
        axes.plot(
            across,
            up,
            color=colours["observed"],
            linewidth=0.9,
            alpha=0.8,
            marker="." if len(across) < 100 else None,
            markersize=3,
            label=line,
        )
        axes.plot(across[:1], up[:1], "o", color=colours["observed"], label="start")
    axes.plot(
        [0], [0], "X", color=colours["observed"], markersize=9, markeredgecolor="white", label="end"
    )
    if plane.optimum:
        axes.plot(
            *[[value] for value in plane.optimum],
            "*",
            color=colours["ink"],
            markersize=12,
            label="optimum, by least squares",
        )
    axes.set_xlim(plane.across[0], plane.across[-1])
    axes.set_ylim(plane.up[0], plane.up[-1])
    axes.set_xlabel(f"distance along the {plane.names[0]}")
    axes.set_ylabel(f"along the {plane.names[1]}")
    rest = (
        f"; {plane.share:.0%} of the squared distance lies in this slice"
        if plane.share is not None and plane.share < 0.9
        else ""
    )
    axes.set_title(f"Training loss around the last weights{rest}")
    axes.legend(loc="best")


def _forecast(axes: Axes, surface: Surface) -> None:
    colours = current_palette()
    axes.plot(surface.measured, color=colours["observed"], label="measured")
    axes.plot(
        surface.predicted, "--", color=colours["ink-soft"], label="predicted by the quadratic"
    )
    axes.set_xlabel(f"full-batch steps from the last weights, lr {surface.rate:.3g}")
    axes.set_ylabel("training loss")
    finite = [value for value in surface.measured if math.isfinite(value)]
    top, low = max(finite), min(finite)
    # a quadratic may run away
    if top > low and not (
        -abs(top) <= min(surface.predicted) and max(surface.predicted) <= 3 * abs(top)
    ):
        axes.set_ylim(low - 0.2 * (top - low), top + 0.2 * (top - low))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_title(
        f"λ from {surface.eigenvalues[-1]:.3g} to {surface.eigenvalues[0]:.3g}: stable below lr "
        f"{surface.stable:.3g}",
    )
    axes.legend()
