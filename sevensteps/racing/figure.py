"""A race as a figure: the validation metric of each recipe by epoch, over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sevensteps.racing.leaderboard import LeaderboardRow
from sevensteps.render.figures import current_palette, drawn_figure, headline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURED = 10  # recipes with a colour and dashes of their own; the others are grey
# of three recipes each, whose colours can be told apart by everybody
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


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
    with drawn_figure(path) as figure:
        figure.set_size_inches(8, 4.6)
        _draw(figure.subplots(), table, values, metric)
        headline(figure, title)
    return figure


def _draw(
    axes: Axes, table: Sequence[LeaderboardRow], values: Sequence[Sequence[float]], metric: str
) -> None:
    from matplotlib.ticker import MaxNLocator

    colours = current_palette()
    for rank, row in reversed(list(enumerate(table))):
        colour = colours.series[rank % len(colours.series)] if rank < COLOURED else colours["line"]
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
            lw=1.8 if rank < COLOURED else 0.8,
            linestyle=DASHES[rank // 3] if rank < COLOURED else "-",
            marker="o" if len(epochs) == 1 else None,
            label=row.label if rank < COLOURED else None,
        )
    axes.set(xlabel="epoch", ylabel=f"validation {metric}")
    if metric == "r2":  # which has no lowest value
        axes.set_ylim(bottom=max(axes.get_ylim()[0], -1))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="best")
