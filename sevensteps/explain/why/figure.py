"""A run drawn beside what its readers compare it with: not looking, a simple answer, the printed
figure and its range over seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sevensteps.explain.why.answer import Why
from sevensteps.render.figures import current_palette, draw_figure, headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "ignorant": "an answer that does not look at its input",
    "simple": "a simple answer in closed form",
}


@draw_figure.register(Why)
def draw_why(answer: Why, figure: Figure) -> None:
    """The metric by epoch, and lines and a band for what it is compared with."""
    figure.set_size_inches(8, 4.2)
    from matplotlib.ticker import MaxNLocator

    colours, axes = current_palette(), figure.subplots()
    mine, printed, others = colours["expected"], colours["observed"], colours["ink-soft"]
    levels = answer.levels
    if "low" in levels and "high" in levels:
        axes.axhspan(
            levels["low"],
            levels["high"],
            color=printed,
            alpha=0.15,
            linewidth=0,
            label=f"ten seeds: {levels['low']:.4f} to {levels['high']:.4f}",
        )
    if "printed" in levels:
        axes.axhline(
            levels["printed"], color=printed, linewidth=1, label=f"printed: {levels['printed']:.4f}"
        )
    if answer.history:
        epochs, values = zip(*answer.history, strict=True)
        axes.plot(
            epochs,
            values,
            color=mine,
            marker="o",
            markersize=3,
            label=f"this run: {values[-1]:.4f} at the end",
        )
    for name, style in (("simple", "--"), ("ignorant", ":")):
        # else all that matters would be pressed into a line
        if name in levels and (name == "simple" or "printed" not in levels):
            axes.axhline(
                levels[name],
                color=others,
                linestyle=style,
                linewidth=1,
                label=f"{NAMES[name]}: {levels[name]:.4g}",
            )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(f"{answer.metric} on the validation samples")
    axes.legend(loc="best")
    headline(figure, "What the run is compared with")
