"""A race drawn: the validation metric of each recipe by epoch, the mean over its seeds and their
range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sevensteps.racing.leaderboard import LeaderboardRow
from sevensteps.render.figures import require_drawable, save_figure

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


def figure(
    table: Sequence[LeaderboardRow],
    values: Sequence[Sequence[float]],
    metric: str,
    title: str,
    path: Path | str | None = None,
) -> Any:
    """The curves of a race as a figure of matplotlib, written to `path` (.png or .svg) where one is
    given.

    `table` is best first; `values[member]` has the metric of each evaluation of a run. Raises
    `ArgumentError` where matplotlib is not installed, or for another kind of file."""
    require_drawable(Path(path or "race.png"))
    from matplotlib.figure import Figure

    made = Figure(figsize=(8, 4.6), dpi=150, layout="constrained")
    axes = made.add_subplot()
    for place, row in reversed(list(enumerate(table))):
        colour = COLOURS[place] if place < COLOURED else GREY
        runs = [values[member] for member in row.members]
        epochs = range(1, max(map(len, runs)) + 1)
        columns = [
            [run[epoch - 1] for run in runs if len(run) >= epoch and math.isfinite(run[epoch - 1])]
            for epoch in epochs
        ]
        known = [(epoch, found) for epoch, found in zip(epochs, columns, strict=True) if found]
        xs = [epoch for epoch, _ in known]
        if len(runs) > 1:
            axes.fill_between(
                xs,
                [min(found) for _, found in known],
                [max(found) for _, found in known],
                color=colour,
                alpha=0.15,
                lw=0,
            )
        axes.plot(
            xs,
            [sum(found) / len(found) for _, found in known],
            color=colour,
            lw=1.6 if place < COLOURED else 0.8,
            marker="o" if len(xs) == 1 else None,
            label=row.label if place < COLOURED else None,
        )
    axes.set(xlabel="epoch", ylabel=f"validation {metric}")
    if metric == "r2":  # which has no lowest value
        axes.set_ylim(bottom=max(axes.get_ylim()[0], -1))
    axes.set_title(title, loc="left", fontsize=11)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False, fontsize=8, loc="best")
    return save_figure(made, path)
