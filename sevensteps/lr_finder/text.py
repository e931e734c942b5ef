"""A learning-rate search as text: a drawing for the terminal, and what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sevensteps.lr_finder.rates import GOOD_RATIO, LABELS, Rates, loss_ratio

BLOCKS = " ▁▂▃▄▅▆▇█"
DRAWING_ROWS = 8  # of the drawing in text
MARKS = {"too low": "─", "good": "━", "edge": "┄", "diverges": "×"}


def drawing(rates: Rates) -> list[str]:
    """Loss against learning rate, both in powers of ten, two columns a rate; under it the zones,
    the suggestion, and the axis.
    """
    losses = [rate.first for rate in rates.rates]
    low, high = loss_limits(losses, rates.start)
    heights = [_height(loss, low, high) for loss in losses]
    lines = []
    for row in range(DRAWING_ROWS, 0, -1):
        cells = "".join(
            ("××" if row == DRAWING_ROWS else "  ")
            if tall is None
            else BLOCKS[max(0, min(8, round(8 * (tall - row + 1))))] * 2
            for tall in heights
        )
        lines.append(
            f"{f'{high:.2g}' if row == DRAWING_ROWS else f'{low:.2g}' if row == 1 else '':>8} │{cells}"
        )
    lines.append(" " * 8 + " └" + "".join(MARKS[rate.label] * 2 for rate in rates.rates))
    lines.append(" " * 10 + "  " * [rate.lr for rate in rates.rates].index(rates.suggestion) + "▲")
    axis = [" "] * (2 * len(losses) + 8)
    for place, rate in enumerate(rates.rates):
        if f"{rate.lr:e}".startswith("1.000000"):
            axis[2 * place : 2 * place + len(f"{rate.lr:g}")] = f"{rate.lr:g}"
    lines.append(" " * 7 + "lr " + "".join(axis).rstrip())
    return lines


def loss_limits(losses: Sequence[float], start: float) -> tuple[float, float]:
    """The lowest and highest loss that is drawn: diverging ones do not press the others flat."""
    low = max(min(losses), 1e-6 * start)
    return low, max(start, low * 1.01, *(loss for loss in losses if loss <= 1.5 * start))


def _height(loss: float, low: float, high: float) -> float | None:
    """How many rows tall `loss` is drawn, on a logarithmic scale; None for one above all that is
    drawn.
    """
    if not loss <= high:
        return None
    return 0.5 + (DRAWING_ROWS - 0.5) * (math.log(max(loss, low)) - math.log(low)) / (
        math.log(high) - math.log(low)
    )


def legend(rates: Rates) -> str:
    """What the marks under the drawing say, for those that occur."""
    meant = {
        "too low": "too low",
        "good": "good",
        "edge": "edge of what works",
        "diverges": "diverges",
    }
    there = {rate.label for rate in rates.rates}
    return " " * 10 + "   ".join(
        f"{MARKS[name] * 2} {meant[name]}" for name in LABELS if name in there
    )


def sentences(rates: Rates) -> list[tuple[str, str]]:
    """What was found, as (name, sentence)."""
    low, high = rates.good
    hits, seeds = sum(ratio <= GOOD_RATIO for ratio in rates.seeds), len(rates.seeds)
    range_ = f"from {low:g} to {high:g}" if low < high else f"only {low:g} of the rates tried"
    lines = [
        (
            "Take",
            f"{rates.suggestion:g} ({rates.word}: with {hits} of {seeds} further seeds it came "
            "within 10 % of its neighbours' best)",
        ),
        (
            "Good",
            range_
            + (f"; from {rates.edge:g} on it diverges or learns nothing" if rates.edge else ""),
        ),
        ("Trained", _trained_sentence(rates)),
        ("Curvature", rates.sharpness.reading),
    ]
    if rates.full is not None and rates.steps < rates.full:
        lines.append(
            (
                "Note",
                f"all {rates.full:,} steps of the recipe would have taken minutes, so it was "
                f"trained for {rates.steps:,};"
                " after more steps a lower rate may be better",
            )
        )
    if rates.loss > 0.99 * rates.nothing:
        lines.append(
            (
                "Note",
                "even so the network comes no lower than one that knows nothing of its inputs "
                f"({rates.nothing:.4g}): the "
                "learning rate is not the cause; train, and ask sevensteps diagnose",
            )
        )
    return lines


def _trained_sentence(rates: Rates) -> str:
    """What training at the suggestion came to, beside the best."""
    best = rates.best
    at = f"{rates.steps:,} steps at {rates.suggestion:g}: training loss {rates.start:.4g} → {rates.loss:.4g}, "
    if best.lr == rates.suggestion:
        return at + "the lowest of all"
    return (
        at
        + f"{100 * (loss_ratio(rates.loss, best.train) - 1):.2g} % above the lowest, at {best.lr:g}, "
        "whose neighbours are worse"
    )
