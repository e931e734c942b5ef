"""The confusion of classes as a heat map."""

from __future__ import annotations

import numpy
from matplotlib.figure import Figure

from sevensteps.explain.sample.ranked import Confusion

NAMED = 25  # classes whose names and counts can be read


def draw(answer: Confusion) -> Figure:
    """A row for each true class, shaded by the share of its samples that got each answer, with the
    counts.
    """
    counts = numpy.array(answer.counts, dtype=float)
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    columns = (
        ("right no", "false yes", "false no", "right yes") if answer.labels else answer.classes
    )
    side = 2.2 + 0.42 * min(max(counts.shape), NAMED)
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if max(counts.shape) <= NAMED:
        axes.set_xticks(
            range(len(columns)), columns, rotation=45 if max(map(len, columns)) > 3 else 0
        )
        axes.set_yticks(range(len(answer.classes)), answer.classes)
        for row, line in enumerate(answer.counts):
            for column, count in enumerate(line):
                if count:
                    axes.text(
                        column,
                        row,
                        f"{count:,}",
                        ha="center",
                        va="center",
                        fontsize=8,
                        color="white" if shares[row, column] > 0.5 else "black",
                    )
    axes.set(
        xlabel="outcome" if answer.labels else "answer",
        ylabel="label" if answer.labels else "truth",
        title=f"{answer.right:,} of {answer.total:,} right in {answer.part}",
    )
    figure.colorbar(shown, ax=axes, label="share of the row")
    return figure
