"""A learning-rate search drawn: as text for a terminal, and as a figure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sevensteps.race.judge import LABELS, WITHIN, Rates, ratio
from sevensteps.view.pictures import drawable, written

BLOCKS = " ▁▂▃▄▅▆▇█"
ROWS = 8  # of the drawing in text
MARKS = {"too low": "─", "good": "━", "edge": "┄", "diverges": "×"}
COLOURS = {"too low": "#7f9bb3", "good": "#2e8b57", "edge": "#e0a030", "diverges": "#c0504d"}


def text(rates: Rates) -> list[str]:
    """Loss against learning rate, both in powers of ten, two columns a rate; under it the zones, the suggestion, and the axis."""
    losses = [rate.first for rate in rates.rates]
    low, high = limits(losses, rates.start)
    heights = [height(loss, low, high) for loss in losses]
    lines = []
    for row in range(ROWS, 0, -1):
        cells = "".join(("××" if row == ROWS else "  ") if tall is None else BLOCKS[max(0, min(8, round(8 * (tall - row + 1))))] * 2
                        for tall in heights)
        lines.append(f"{f'{high:.2g}' if row == ROWS else f'{low:.2g}' if row == 1 else '':>8} │{cells}")
    lines.append(" " * 8 + " └" + "".join(MARKS[rate.label] * 2 for rate in rates.rates))
    lines.append(" " * 10 + "  " * [rate.lr for rate in rates.rates].index(rates.suggestion) + "▲")
    axis = [" "] * (2 * len(losses) + 8)
    for place, rate in enumerate(rates.rates):
        if f"{rate.lr:e}".startswith("1.000000"):
            axis[2 * place:2 * place + len(f"{rate.lr:g}")] = f"{rate.lr:g}"
    lines.append(" " * 7 + "lr " + "".join(axis).rstrip())
    return lines


def limits(losses: Sequence[float], start: float) -> tuple[float, float]:
    """The lowest and highest loss that is drawn: diverging ones do not press the others flat."""
    low = max(min(losses), 1e-6 * start)
    return low, max(start, low * 1.01, *(loss for loss in losses if loss <= 1.5 * start))


def height(loss: float, low: float, high: float) -> float | None:
    """How many rows tall `loss` is drawn, on a logarithmic scale; None for one above all that is drawn."""
    if not loss <= high:
        return None
    return 0.5 + (ROWS - 0.5) * (math.log(max(loss, low)) - math.log(low)) / (math.log(high) - math.log(low))


def legend(rates: Rates) -> str:
    """What the marks under the drawing say, for those that occur."""
    meant = {"too low": "too low", "good": "good", "edge": "edge of what works", "diverges": "diverges"}
    there = {rate.label for rate in rates.rates}
    return " " * 10 + "   ".join(f"{MARKS[name] * 2} {meant[name]}" for name in LABELS if name in there)


def said(rates: Rates) -> list[tuple[str, str]]:
    """What was found, as (name, sentence)."""
    low, high = rates.good
    hits, seeds = sum(ratio <= WITHIN for ratio in rates.seeds), len(rates.seeds)
    range_ = f"from {low:g} to {high:g}" if low < high else f"only {low:g} of the rates tried"
    lines = [
        ("Take", f"{rates.suggestion:g} ({rates.word}: with {hits} of {seeds} further seeds it came within 10 % of its neighbours' best)"),
        ("Good", range_ + (f"; from {rates.edge:g} on it diverges or learns nothing" if rates.edge else "")),
        ("Trained", trained(rates)), ("Curvature", rates.sharpness.reading)]
    if rates.full is not None and rates.steps < rates.full:
        lines.append(("Note", f"all {rates.full:,} steps of the recipe would have taken minutes, so it was trained for {rates.steps:,};"
                              " after more steps a lower rate may be better"))
    if rates.loss > 0.99 * rates.nothing:
        lines.append(("Note", f"even so the network comes no lower than one that knows nothing of its inputs ({rates.nothing:.4g}): the "
                              "learning rate is not the cause; train, and ask sevensteps diagnose"))
    return lines


def trained(rates: Rates) -> str:
    """What training at the suggestion came to, beside the best."""
    best = rates.best
    at = f"{rates.steps:,} steps at {rates.suggestion:g}: training loss {rates.start:.4g} → {rates.loss:.4g}, "
    if best.lr == rates.suggestion:
        return at + "the lowest of all"
    return at + f"{100 * (ratio(rates.loss, best.train) - 1):.2g} % above the lowest, at {best.lr:g}, whose neighbours are worse"


def figure(rates: Rates, path: Path | str | None = None) -> Any:
    """Loss against learning rate as a figure of matplotlib, written to `path` (.png or .svg) where one is given.

    Raises `ArgumentError` where matplotlib is not installed, or for another kind of file.
    """
    drawable(Path(path or "rates.png"))
    from matplotlib.figure import Figure

    made = Figure(figsize=(8, 4.6), dpi=150, layout="constrained")
    _draw(made.add_subplot(), rates)
    return written(made, path)


def _draw(axes: Any, rates: Rates) -> None:
    lrs, middle = [rate.lr for rate in rates.rates], math.sqrt(10 ** (1 / 6))
    low, high = limits([min(rate.first, rate.train) for rate in rates.rates], rates.start)
    low, high = low / (high / low) ** 0.06, high * (high / low) ** 0.12
    borders = [lrs[0] / middle, *(math.sqrt(a * b) for a, b in itertools.pairwise(lrs)), lrs[-1] * middle]
    for name, zone in itertools.groupby(range(len(lrs)), lambda index: rates.rates[index].label):
        left, *_, right = [borders[index + end] for index in zone for end in (0, 1)]
        axes.axvspan(left, right, color=COLOURS[name], alpha=0.13, linewidth=0)
        axes.text(math.sqrt(left * right), 1.015, name, transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=9,
                  color=COLOURS[name])
    first = [(rate.lr, rate.first) for rate in rates.rates if rate.first <= high]
    staged = rates.stages[0][1] < rates.steps
    axes.plot(*zip(*first, strict=True), color="#8a8f98" if staged else "#2f3b4c", linewidth=1.4, zorder=2,
              label=f"after {rates.stages[0][1]:,} steps")
    if staged:
        final = [(rate.lr, rate.train) for rate in rates.rates if rate.steps == rates.steps and rate.train <= high]
        axes.plot(*zip(*final, strict=True), color="#2f3b4c", linewidth=1.4, zorder=2, label=f"after {rates.steps:,} steps")
    for rate in rates.rates:
        inside, colour = rate.train <= high, COLOURS[rate.label]
        style = {"marker": "o", "markeredgecolor": "white"} if inside else {"marker": "x", "markeredgewidth": 1.4}
        axes.plot(rate.lr, rate.train if inside else high / (high / low) ** 0.03, color=colour, markersize=5, zorder=3, linestyle="none",
                  **style)
    axes.plot(rates.suggestion, rates.loss, marker="o", markersize=12, markerfacecolor="none", markeredgecolor="#111111", zorder=4,
              linestyle="none", label=f"suggestion {rates.suggestion:g}, {rates.word}")
    edge = rates.sharpness.edge
    if edge is not None and lrs[0] < edge < lrs[-1]:
        axes.axvline(edge, color="#555555", linestyle=":", linewidth=1.2, label=f"stable at the start up to {edge:.2g} (2/λ)")
    axes.set(xscale="log", yscale="log", xlim=(lrs[0] / middle, lrs[-1] * middle), ylim=(low, high), xlabel="learning rate",
             ylabel="training loss")
    axes.set_title(f"{rates.recipe.source}: {len(lrs)} learning rates", loc="left", fontsize=11, pad=20)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower left")

