"""A learning-rate search as text: a drawing for the terminal, and what it says in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sevensteps.lr_finder.rates import (
    GOOD_RATIO,
    LABELS,
    NEGLIGIBLE_SHARE,
    ROBUST_RATIO,
    Rates,
    loss_ratio,
)
from sevensteps.render.blocks import BLOCKS

ROWS = 8  # of the drawing
FILLS = " " + BLOCKS  # of one character, in eighths
MARKS = {"too low": "─", "good": "━", "edge": "┄", "diverges": "×"}
LEGEND = {**{label: label for label in LABELS}, "edge": "edge of what works"}


def drawing(rates: Rates) -> list[str]:
    """Loss against learning rate, both in powers of ten, two columns a rate.

    Under it the zones, the suggestion, and the axis.
    """
    losses = [rate.first for rate in rates.rates]
    low, high = loss_limits(losses, rates.start)
    heights = [_height(loss, low, high) for loss in losses]
    lines = []
    for row in range(ROWS, 0, -1):
        columns = "".join(
            ("××" if row == ROWS else "  ")
            if height is None
            else FILLS[max(0, min(8, round(8 * (height - row + 1))))] * 2
            for height in heights
        )
        scale = f"{high:.2g}" if row == ROWS else f"{low:.2g}" if row == 1 else ""
        lines.append(f"{scale:>8} │{columns}")
    lines.append(" " * 8 + " └" + "".join(MARKS[rate.label] * 2 for rate in rates.rates))
    lines.append(" " * 10 + "  " * [rate.lr for rate in rates.rates].index(rates.suggestion) + "▲")
    axis = [" "] * (2 * len(losses) + 8)
    for index, rate in enumerate(rates.rates):
        if f"{rate.lr:e}".startswith("1.000000"):  # a power of ten
            axis[2 * index : 2 * index + len(f"{rate.lr:g}")] = f"{rate.lr:g}"
    lines.append(" " * 7 + "lr " + "".join(axis).rstrip())
    return lines


def loss_limits(losses: Sequence[float], start: float) -> tuple[float, float]:
    """The lowest and highest loss that is drawn: diverging ones do not press the others flat."""
    low = max(min(losses), 1e-6 * start)
    return low, max(start, low * 1.01, *(loss for loss in losses if loss <= 1.5 * start))


def _height(loss: float, low: float, high: float) -> float | None:
    """How many rows high `loss` is drawn, on a logarithmic scale; None for one above all rows."""
    if not loss <= high:
        return None
    share = (math.log(max(loss, low)) - math.log(low)) / (math.log(high) - math.log(low))
    return 0.5 + (ROWS - 0.5) * share


def legend(rates: Rates) -> str:
    """The meaning of the marks under the drawing, of those that occur."""
    labels = {rate.label for rate in rates.rates}
    return " " * 10 + "   ".join(
        f"{MARKS[label] * 2} {LEGEND[label]}" for label in LABELS if label in labels
    )


def sentences(rates: Rates) -> list[tuple[str, str]]:
    """The answer in sentences, as (heading, sentence): what to take, what is good, and why."""
    low, high = rates.good
    hits, seeds = sum(ratio <= GOOD_RATIO for ratio in rates.seeds), len(rates.seeds)
    zone = f"from {low:g} to {high:g}" if low < high else f"only {low:g} of the rates tried"
    lines = [
        (
            "Take",
            f"{rates.suggestion:g} ({rates.word}: with {hits} of {seeds} further seeds its loss "
            "was within 10 % of its neighbours' best)",
        ),
        (
            "Good",
            zone
            + (f"; from {rates.edge:g} on it diverges or learns nothing" if rates.edge else ""),
        ),
        ("Trained", _trained_sentence(rates)),
        ("Curvature", rates.sharpness.reading),
    ]
    if rates.full is not None and rates.steps < rates.full:
        lines.append(
            (
                "Note",
                f"all {rates.full:,} steps of the recipe would have taken minutes, so the rates "
                f"were trained for {rates.steps:,} steps; over more steps a lower rate may be "
                "better",
            )
        )
    if rates.loss > 0.99 * rates.nothing:
        lines.append(
            (
                "Note",
                "even so the loss is no lower than that of a network that ignores its inputs "
                f"({rates.nothing:.4g}), so the learning rate is not the cause; train, and ask "
                "sevensteps diagnose",
            )
        )
    return lines


def _trained_sentence(rates: Rates) -> str:
    """What training at the suggestion led to, compared with the best rate."""
    best, excess = rates.best, 100 * (loss_ratio(rates.loss, rates.best.train) - 1)  # %
    compared = (
        "the lowest of all"
        if best.lr == rates.suggestion
        else "as near 0 as it needs to be: longer steps come nearer by larger weights alone"
        if excess > 100 * (ROBUST_RATIO - 1) and rates.loss <= 2 * NEGLIGIBLE_SHARE * rates.start
        else f"{excess:.2g} % above the lowest, at {best.lr:g}, whose neighbours are worse"
    )
    return (
        f"{rates.steps:,} steps at {rates.suggestion:g}: training loss {rates.start:.4g} → "
        f"{rates.loss:.4g}, {compared}"
    )
