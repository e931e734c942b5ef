"""A race as a figure: the validation metric of each recipe by epoch, over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sevensteps.racing.leaderboard import LeaderboardRow
from sevensteps.render.figures import new_figure, require_drawable, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURED = 10  # recipes with a colour of their own; the others are grey
COLOURS = (
    "#2e6fb0",
    "#d1612f",
    "#2e8b57",
    "#8e5bb5",
    "#c2a000",
    "#c0504d",
    "#4fa3a5",
    "#7a6a53",
    "#d77fb3",
    "#5b6770",
)
GREY = "#c3c7cc"


def plot_race(
    table: Sequence[LeaderboardRow],
    values: Sequence[Sequence[float]],
    metric: str,
    title: str,
    path: Path | str | None = None,
) -> Figure:
    """The curves of a race as a matplotlib figure, written to `path` (.png or .svg) if given.

    A line is the mean over the seeds of a recipe, its shadow their range. `table` is best first;
    `values[member]` has the metric after each epoch of a run. Raises `ArgumentError` if matplotlib
    is not installed, or if `path` cannot be written.
    """
    require_drawable(Path(path or "race.png"))
    figure = new_figure()
    figure.set_size_inches(8, 4.6)
    axes = figure.subplots()
    for rank, row in reversed(list(enumerate(table))):
        colour = COLOURS[rank] if rank < COLOURED else GREY
        runs = [values[member] for member in row.members]
        by_epoch = {
            epoch: [
                run[epoch - 1]
                for run in runs
                if len(run) >= epoch and math.isfinite(run[epoch - 1])
            ]
            for epoch in range(1, max(map(len, runs)) + 1)
        }
        by_epoch = {epoch: finite for epoch, finite in by_epoch.items() if finite}
        epochs = list(by_epoch)
        if len(runs) > 1:
            lowest, highest = map(min, by_epoch.values()), map(max, by_epoch.values())
            axes.fill_between(epochs, [*lowest], [*highest], color=colour, alpha=0.15, lw=0)
        axes.plot(
            epochs,
            [sum(finite) / len(finite) for finite in by_epoch.values()],
            color=colour,
            lw=1.6 if rank < COLOURED else 0.8,
            marker="o" if len(epochs) == 1 else None,
            label=row.label if rank < COLOURED else None,
        )
    axes.set(xlabel="epoch", ylabel=f"validation {metric}")
    if metric == "r2":  # which has no lowest value
        axes.set_ylim(bottom=max(axes.get_ylim()[0], -1))
    axes.set_title(title, loc="left", fontsize=11)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False, fontsize=8, loc="best")
    save_figure(figure, path)
    return figure
