"""Training steps drawn: the loss of the batch, and of one step how far each layer's weights
moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sevensteps.explain.one_step.answer import Steps
from sevensteps.explain.one_step.series import StepSeries
from sevensteps.render.figures import current_palette, draw_figure, headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@draw_figure.register(Steps)
def draw_steps(steps: Steps, figure: Figure) -> None:
    """Loss before and after on the left, the change of each layer relative to its weights on the
    right.
    """
    moved = [
        (layer.name, 100 * layer.relative) for layer in steps.layers if layer.relative is not None
    ]
    figure.set_size_inches(9, max(3.2, 1.6 + 0.32 * len(steps.layers)))
    colours = current_palette()
    headline(figure, f"Step {steps.at:,}: {steps.steps['step']}")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.4))
    bars = left.bar(
        ["before", "after"],
        steps.losses,
        color=[colours["ink-soft"], colours["expected"]],
        width=0.6,
    )
    left.bar_label(bars, fmt="%.4g", label_type="center", color=colours["raised"])
    left.axhline(
        steps.ignorant,
        color=colours["observed"],
        linestyle=":",
        linewidth=1,
        label=f"a network that knows nothing: {steps.ignorant:.4g}",
    )
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1))
    left.set_ylabel(f"loss, mean of the {steps.size:,} samples")
    left.set_title("The same batch, around the step")
    if moved:
        names, shares = zip(*moved, strict=True)
        right.bar_label(
            right.barh(names, shares, color=colours["expected"], height=0.5),
            fmt="%.3g %%",
            padding=3,
        )
        right.invert_yaxis()
        right.margins(x=0.2)
    else:
        right.barh(
            [layer.name for layer in steps.layers],
            [layer.change for layer in steps.layers],
            color=colours["expected"],
        )
        right.invert_yaxis()
    right.set_xlabel(
        "change, % of the weights' length"
        if moved
        else "length of the change (the weights were all 0)"
    )
    right.set_title("How far each layer moved")


@draw_figure.register(StepSeries)
def draw_series(series: StepSeries, figure: Figure) -> None:
    """For each step the loss of its batch before and after it, as a pair of bars."""
    count = len(series.steps)
    figure.set_size_inches(max(6.0, 2 + 0.7 * count), 3.6)
    colours = current_palette()
    headline(figure, f"{count} steps of {series.steps[0].steps['step']}")
    axes = figure.subplots()
    for place, (name, shade) in enumerate((("before", "ink-soft"), ("after", "expected"))):
        axes.bar(
            [index + 0.38 * place for index in range(count)],
            [step.losses[place] for step in series.steps],
            color=colours[shade],
            width=0.36,
            label=f"{name} the step",
        )
    axes.set_xticks(
        [index + 0.19 for index in range(count)], [f"{step.at:,}" for step in series.steps]
    )
    axes.set_xlabel("step, counted from 0")
    axes.set_ylabel("loss of the step's batch")
    axes.legend()
