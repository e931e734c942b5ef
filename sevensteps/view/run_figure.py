"""A run as a matplotlib figure: its losses, and beside them the metric, by step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.metrics import primary
from sevensteps.render.figures import current_palette, drawn_figure, headline
from sevensteps.view.document.curves import PARTS, is_wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sevensteps.doctor.finding import Finding

History = Sequence[Mapping[str, Any]]
SERIES = dict(zip(PARTS, range(len(PARTS)), strict=True))  # of a part, as on the page


def plot_run(
    history: History,
    title: str,
    path: Path | str | None = None,
    findings: Sequence[Finding] = (),
) -> Figure:
    """The curves of a run as a matplotlib figure, written to `path` (.png or .svg) if given, with
    the onset of what is wrong.

    Raises `ArgumentError` if matplotlib is not installed, or if `path` cannot be written.
    """
    with drawn_figure(path) as figure:
        metric = primary(history[-1]["valid"]) if history else "loss"
        names = ["loss"] if metric == "loss" else ["loss", metric]
        figure.set_size_inches(4.8 * len(names), 3.4)
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            draw_history(axes, history, name)
            draw_onset(axes, findings)
            axes.legend()
        headline(figure, title)
    return figure


def draw_history(axes: Axes, history: History, name: str) -> None:
    """One number of the history by step, of each part that has it."""
    colours = current_palette().series
    every: list[tuple[int, float | None]] = []
    for part, title in PARTS.items():
        rows = [(row["step"], number_or_nan(row[part].get(name))) for row in history]
        if all(math.isnan(value) for _, value in rows):
            continue
        every += rows
        axes.plot(
            [step for step, _ in rows],
            [value for _, value in rows],
            color=colours[SERIES[part]],
            marker="o" if len(rows) < 8 else None,
            markersize=4,
            label=title,
        )
    if name == "loss" and is_wide(every):
        axes.set_yscale("log")
    axes.set(xlabel="step", ylabel=name)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def draw_onset(axes: Axes, findings: Sequence[Finding]) -> None:
    """A line at the step where the first finding that has an onset began."""
    finding = next((one for one in findings if one.onset), None)
    if finding is not None and finding.onset is not None:
        axes.axvline(
            finding.onset,
            color=current_palette()["observed"],
            linestyle=(0, (2, 2)),
            linewidth=1.2,
            label=f"{finding.condition}, from step {finding.onset:,}",
        )


def number_or_nan(value: float | None) -> float:
    """A number that may be missing, as matplotlib leaves it out."""
    return math.nan if value is None else value
