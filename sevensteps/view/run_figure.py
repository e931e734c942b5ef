"""A run as a matplotlib figure: its losses, and beside them the metric, by step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.metrics import primary
from sevensteps.render.figures import new_figure, require_drawable, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"train": "#8a919a", "valid": "#2e6fb0"}
NAMES = {"train": "training", "valid": "validation"}


def plot_run(
    history: Sequence[Mapping[str, Any]], title: str, path: Path | str | None = None
) -> Figure:
    """The curves of a run as a matplotlib figure, written to `path` (.png or .svg) if given.

    Raises `ArgumentError` if matplotlib is not installed, or if `path` cannot be written.
    """
    require_drawable(Path(path or "run.png"))
    figure = new_figure()
    metric = primary(history[-1]["valid"]) if history else "loss"
    names = ["loss"] if metric == "loss" else ["loss", metric]
    figure.set_size_inches(4.6 * len(names), 3.4)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for part, colour in COLOURS.items():
            rows = [(row["step"], _number(row[part].get(name))) for row in history]
            axes.plot(
                [step for step, _ in rows],
                [value for _, value in rows],
                color=colour,
                lw=1.6,
                marker="o" if len(rows) == 1 else None,
                label=NAMES[part],
            )
        axes.set(xlabel="step", ylabel=name)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    save_figure(figure, path)
    return figure


def _number(value: float | None) -> float:
    return math.nan if value is None else value
