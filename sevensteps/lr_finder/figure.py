"""A learning-rate search as a figure."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from sevensteps.lr_finder.rates import Rates
from sevensteps.lr_finder.text import loss_limits
from sevensteps.render.figures import SMALL, current_palette, draw_figure, headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOKENS = {"too low": "ink-soft", "good": "good", "edge": "series-5", "diverges": "observed"}


@draw_figure.register(Rates)
def draw_rates(rates: Rates, figure: Figure) -> None:
    """Loss against learning rate, the zones behind it, the suggestion circled."""
    figure.set_size_inches(8, 4.6)
    axes, palette = figure.subplots(), current_palette()
    colours = {label: palette[token] for label, token in TOKENS.items()}
    lrs, middle = [rate.lr for rate in rates.rates], math.sqrt(10 ** (1 / 6))
    low, high = loss_limits([min(rate.first, rate.train) for rate in rates.rates], rates.start)
    low, high = low / (high / low) ** 0.06, high * (high / low) ** 0.12
    borders = [
        lrs[0] / middle,
        *(math.sqrt(a * b) for a, b in itertools.pairwise(lrs)),
        lrs[-1] * middle,
    ]
    for name, zone in itertools.groupby(range(len(lrs)), lambda index: rates.rates[index].label):
        left, *_, right = [borders[index + end] for index in zone for end in (0, 1)]
        axes.axvspan(left, right, color=colours[name], alpha=0.13, linewidth=0)
        axes.text(
            math.sqrt(left * right),
            1.015,
            name,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=SMALL,
            color=colours[name],
        )
    first = [(rate.lr, rate.first) for rate in rates.rates if rate.first <= high]
    staged = rates.stages[0][1] < rates.steps
    axes.plot(
        *zip(*first, strict=True),
        color=palette["ink-faint" if staged else "ink"],
        linewidth=1.4,
        zorder=2,
        label=f"after {rates.stages[0][1]:,} steps",
    )
    if staged:
        final = [
            (rate.lr, rate.train)
            for rate in rates.rates
            if rate.steps == rates.steps and rate.train <= high
        ]
        axes.plot(
            *zip(*final, strict=True),
            color=palette["ink"],
            linewidth=1.4,
            zorder=2,
            label=f"after {rates.steps:,} steps",
        )
    for rate in rates.rates:
        inside, colour = rate.train <= high, colours[rate.label]
        style = (
            {"marker": "o", "markeredgecolor": palette["raised"]}
            if inside
            else {"marker": "x", "markeredgewidth": 1.4}
        )
        axes.plot(
            rate.lr,
            rate.train if inside else high / (high / low) ** 0.03,
            color=colour,
            markersize=5,
            zorder=3,
            linestyle="none",
            **style,
        )
    axes.plot(
        rates.suggestion,
        rates.loss,
        marker="o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor=palette["ink"],
        zorder=4,
        linestyle="none",
        label=f"suggestion {rates.suggestion:g}, {rates.word}",
    )
    edge = rates.sharpness.edge
    if edge is not None and lrs[0] < edge < lrs[-1]:
        axes.axvline(
            edge,
            color=palette["ink-soft"],
            linestyle=":",
            linewidth=1.2,
            label=f"stable at the start up to {edge:.2g} (2/λ)",
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(lrs[0] / middle, lrs[-1] * middle),
        ylim=(low, high),
        xlabel="learning rate",
        ylabel="training loss",
    )
    axes.legend(loc="lower left")
    headline(figure, f"{rates.recipe.source}: {len(lrs)} learning rates")
