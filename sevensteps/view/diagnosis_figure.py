"""A diagnosis as a matplotlib figure: what is wrong, where on the curve it began, and its evidence,
observed beside expected.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.report.text import measured_text
from sevensteps.metrics import primary
from sevensteps.render.figures import LABEL, SMALL, current_palette, headline
from sevensteps.view.document.curves import is_wide
from sevensteps.view.document.looks import quantity_curves
from sevensteps.view.document.verdict import Context, diagnosis_verdict
from sevensteps.view.run_figure import draw_history, draw_onset, number_or_nan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 92  # characters of the headline in a line
ROWS = 4  # measures of the evidence that are drawn
COLUMNS = 44  # characters of a measure's name in a line
MARGIN = 0.12  # of the track of a measure, on both sides of what is on it


def draw_diagnosis(diagnosis: Diagnosis, figure: Figure) -> None:
    """The loss by step; beside it the quantity that shows the condition, and the evidence."""
    case, observation = diagnosis.case, diagnosis.case.observation
    over_time = quantity_curves(observation.looks, observation.facts)
    content = diagnosis_verdict(diagnosis, Context(over_time=over_time))
    first = content["findings"][0] if content["findings"] else {}
    measures = first.get("evidence", [])[:ROWS]
    drawn = next((row["drawn"] for row in first.get("evidence", ()) if "drawn" in row), None)
    metric = primary(case.history[-1]["valid"]) if case.history and not first else "loss"
    panels_wanted = {
        "loss": True,
        "metric": metric != "loss",
        "drawn": drawn is not None,
        "evidence": bool(measures),
    }
    kinds = [kind for kind, wanted in panels_wanted.items() if wanted]
    figure.set_size_inches((5.6, 9.2, 12.4)[len(kinds) - 1], 3.9)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for kind, axes in zip(kinds, panels, strict=True):
        if kind == "loss":
            _draw_loss(axes, diagnosis)
        elif kind == "metric":
            draw_history(axes, case.history, metric)
            axes.set(title=metric.capitalize(), ylabel="")
        elif kind == "drawn" and drawn is not None:
            _draw_quantity(axes, drawn)
        else:
            _draw_evidence(axes, measures)
    name = f"{first['condition']}: " if first else ""
    width = round(WIDTH * figure.get_size_inches()[0] / 9.2)
    headline(figure, textwrap.fill(name + str(content["sentence"]), width))
    if remedy := first_remedy(first):
        figure.supxlabel(
            textwrap.shorten(f"→ {remedy}", round(1.4 * width), placeholder=" …"),
            x=0.012,
            ha="left",
            fontsize=LABEL,
            color=current_palette()["good"],
        )


def first_remedy(finding: Mapping[str, Any]) -> str:
    """The first remedy of a finding in a line; "" where it has none.

    >>> first_remedy({"remedies": [{"change": {"step": "sgd(lr=0.1)"}, "advice": "", "why": "w"}]})
    'step = sgd(lr=0.1): w'
    """
    for remedy in finding.get("remedies", ()):
        change = ", ".join(f"{step} = {text}" for step, text in remedy["change"].items())
        return ": ".join(filter(None, (change or remedy["advice"], remedy["why"])))
    return ""


def _draw_loss(axes: Axes, diagnosis: Diagnosis) -> None:
    case, colours = diagnosis.case, current_palette()
    losses = [(step, number_or_nan(loss)) for step, loss in case.observation.losses]
    if losses:
        axes.plot(
            *zip(*losses, strict=True),
            color=colours["ink-faint"],
            linewidth=0.9,
            label="each step",
            zorder=1,
        )
    if case.history:
        draw_history(axes, case.history, "loss")
    rows = [(row[0], row[1]) for row in case.observation.evaluations if row[1] is not None]
    if rows:
        axes.plot(*zip(*rows, strict=True), color=colours.series[1], label="validation")
    if losses and is_wide(losses):
        axes.set_yscale("log")
    if case.loss_is_error and case.baseline_loss is not None:
        axes.axhline(
            case.baseline_loss,
            color=colours["ink-soft"],
            linestyle=":",
            linewidth=1,
            label="an answer that ignores the input",
        )
    draw_onset(axes, diagnosis.findings)
    axes.set(xlabel="step", ylabel="loss", title="Loss")
    axes.margins(y=0.12)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def _draw_quantity(axes: Axes, drawn: Mapping[str, Any]) -> None:
    """A quantity of the looks over the steps, with the range that is expected of it."""
    colours = current_palette()
    steps, values = drawn["steps"], [number_or_nan(value) for value in drawn["values"]]
    axes.plot(
        steps,
        values,
        color=colours["observed"],
        marker="o",
        markersize=3,
        label="observed",
    )
    positive = [value for value in values if value > 0]
    if drawn.get("log") and positive and max(positive) > 10 * min(positive):
        axes.set_yscale("log")
    low, high = drawn.get("expected", (None, None))
    if low is not None or high is not None:
        bottom, top = axes.get_ylim()
        ends = (bottom if low is None else low), (top if high is None else high)
        axes.axhspan(
            *ends, color=colours["expected"], alpha=0.13, linewidth=0, label="expected", zorder=0
        )
    axes.set(
        xlabel="step",
        ylabel=drawn["unit"] or "",
        title=drawn["name"][:1].upper() + drawn["name"][1:],
    )
    axes.legend()


def _draw_evidence(axes: Axes, measures: Sequence[Mapping[str, Any]]) -> None:
    """A track for each measure, of its own scale: what is expected shaded, what was observed a
    point on it.
    """
    colours = current_palette()
    for row, measure in enumerate(measures):
        if "bar" in measure:
            _draw_track(axes, row, measure["bar"])
        name = textwrap.shorten(measure["measure"], 2 * COLUMNS, placeholder=" …")
        axes.text(0, row - 0.16, textwrap.fill(name, COLUMNS), va="bottom", fontsize=SMALL)
        below = row + 0.16 if "bar" in measure else row
        for word, place, token in (("observed", 0, "observed"), ("expected", 1, "expected")):
            value = textwrap.shorten(measured_text(measure[word]), 26, placeholder=" …")
            axes.text(
                place,
                below,
                f"{word} {value}",
                va="top" if "bar" in measure else "center",
                ha="right" if place else "left",
                fontsize=SMALL,
                color=colours[token],
            )
    axes.set(xlim=(-0.02, 1.02), ylim=(max(len(measures), 2) - 0.45, -0.6), title="Evidence")
    axes.axis("off")


def _draw_track(axes: Axes, row: int, bar: Mapping[str, Any]) -> None:
    colours = current_palette()
    observed, (low, high) = measure_places(bar)
    axes.plot([0, 1], [row, row], color=colours["line"], linewidth=7, zorder=1)
    axes.plot([low, high], [row, row], color=colours["expected"], alpha=0.45, linewidth=7)
    axes.plot(
        [observed],
        [row],
        "o",
        color=colours["observed"],
        markersize=9,
        markeredgecolor=colours["raised"],
        zorder=3,
    )


def measure_places(bar: Mapping[str, Any]) -> tuple[float, tuple[float, float]]:
    """Where what was observed and the range that is expected lie on a track from 0 to 1.

    >>> measure_places({"observed": 1.0, "expected": [None, 0.5]})
    (0.88, (0.0, 0.5))
    """
    scale = math.log10 if bar.get("log") else float
    low, high = (None if end is None else scale(end) for end in bar["expected"])
    observed = scale(bar["observed"])
    ends = [end for end in (low, high) if end is not None]
    known = [observed, *ends] if bar.get("log") else [0.0, observed, *ends]
    least, span = min(known), (max(known) - min(known)) or 1.0

    def place(value: float) -> float:
        return round(MARGIN + (1 - 2 * MARGIN) * (value - least) / span, 6)

    return place(observed), (
        0.0 if low is None else place(low),
        1.0 if high is None else place(high),
    )
