"""Samples as pictures: one with its answer, the worst or best in a grid, and the confusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from sevensteps.explain.sample.answer import Sample, SampleInput, answer_text
from sevensteps.explain.sample.confusion import Confusion
from sevensteps.explain.sample.worst_and_best import Samples
from sevensteps.render.figures import current_palette, draw_figure, headline, sequential

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_BARS = 12  # bars
IMAGES_ACROSS = 5
MAX_RANKED = 25
MAX_NAMED = 25  # classes whose names and counts can be read


@draw_figure.register(Sample)
def draw_sample(answer: Sample, figure: Figure) -> None:
    """The input on the left, on the right a bar for each class: green is the truth, orange a wrong
    answer; or one for a single score.
    """
    colours = current_palette()
    right_one, other, wrong = colours["good"], colours["ink-faint"], colours["observed"]
    figure.set_size_inches(8, 3.6)
    left, right = figure.subplots(1, 2)
    show_input(left, answer.input)
    rows = sorted(
        sorted(answer.rows, key=lambda row: -(row.probability or row.output or 0.0))[:MAX_BARS],
        key=lambda row: row.index,
    )
    probable = any(row.probability is not None for row in rows)
    values = [row.probability if probable else row.output for row in rows]
    if answer.right is None:
        right.barh(["answer", "truth"], _answer_and_truth(answer), color=[other, right_one])
        right.set_xlabel("target, in its own units")
    elif len(rows) == 1:  # a score of one output
        right.barh(
            [f"score for {rows[0].name}"],
            [rows[0].output or 0.0],
            height=0.3,
            color=right_one if answer.right else wrong,
        )
        right.axvline(answer.threshold, color=colours["ink-soft"], linewidth=0.8)
        reach = 1.2 * max(abs((rows[0].output or 0.0) - answer.threshold), 0.5)
        right.set(
            xlabel=f"output: above {answer.threshold:g} the answer is {rows[0].name}",
            ylim=(-0.5, 0.5),
            xlim=(answer.threshold - reach, answer.threshold + reach),
        )
    else:
        colors = [
            right_one
            if row.target
            else wrong
            if row.name == answer.answer and not answer.right
            else other
            for row in rows
        ]
        right.barh([row.name for row in rows], [value or 0.0 for value in values], color=colors)
        right.set_xlabel("probability" if probable else "output")
        right.set_ylabel("class (green: the truth)")
    if probable:
        right.set_xlim(0, 1)
    if len(rows) > 1 or answer.right is None:
        right.invert_yaxis()
    right.set_title(f"{answer.loss_name} {answer.loss:.4g}")
    headline(figure, answer.title)


def _answer_and_truth(answer: Sample) -> list[float]:
    """Answer and truth of a regression; of several numbers the first."""
    numbers = (answer.answer, answer.truth)
    return [number[0] if isinstance(number, tuple) else number for number in numbers]


def show_input(axes: Any, source: SampleInput) -> None:
    """An image as it is, a row of a table as bars of what the network is fed, with the raw values
    in their labels.
    """
    if source.kind == "image" and len(source.shape) == 3:
        show_image(axes, source.raw, source.shape, source.highest)
        axes.set(xlabel="column (pixels)", ylabel="row (pixels)")
        return
    names = source.names or tuple(f"x[{i}]" for i in range(len(source.raw)))
    labels = [
        f"{name} = {source.written.get(at) or f'{raw:.4g}'}"
        for at, (name, raw) in enumerate(list(zip(names, source.raw, strict=True))[:MAX_BARS])
    ]
    axes.barh(labels, source.fed[:MAX_BARS], color=current_palette()["ink-faint"])
    axes.axvline(0, color=current_palette()["ink-soft"], linewidth=0.8)
    axes.set(xlabel="as the network is fed", ylabel="feature = raw value")
    axes.invert_yaxis()


def show_image(
    axes: Any, raw: tuple[float, ...], shape: tuple[int, ...], highest: float | None = None
) -> None:
    """Raw pixels [C, H, W], given flat: one channel in grays, three in colours."""
    pixels = numpy.asarray(raw, dtype=float).reshape(shape)
    if shape[0] == 3:
        axes.imshow(numpy.clip(pixels.transpose(1, 2, 0) / (highest or pixels.max() or 1.0), 0, 1))
    else:
        axes.imshow(pixels.mean(0), cmap="gray", vmin=0 if highest else None, vmax=highest)


@draw_figure.register(Samples)
def draw_samples(answer: Samples, figure: Figure) -> None:
    """Up to 25 samples: truth, answer and loss of each."""
    ranked = answer.ranked[:MAX_RANKED]
    size = "largest" if answer.which == "worst" else "smallest"
    title = f"The {size} losses in {answer.part} ({answer.loss_name}, mean {answer.mean:.3g})"
    if answer.kind != "image" or len(answer.shape) != 3:
        figure.set_size_inches(8, 1.4 + 0.35 * len(ranked))
        axes = figure.subplots()
        axes.barh(
            [
                f"{row.index}: {answer_text(row.truth)}, answered {answer_text(row.answer)}"
                for row in ranked
            ],
            [row.loss for row in ranked],
            color=current_palette()["ink-faint"],
        )
        axes.invert_yaxis()
        axes.set(xlabel="loss", ylabel="sample: truth, answer")
        headline(figure, title)
        return
    across = min(IMAGES_ACROSS, len(ranked))
    down = -(-len(ranked) // across)
    figure.set_size_inches(max(5.0, 1.7 * across), 0.7 + 2.1 * down)
    grid = figure.subplots(down, across, squeeze=False).flatten()
    for axes, row in zip(grid, ranked, strict=False):
        show_image(axes, row.input, answer.shape)
        axes.set_title(
            f"{row.index}: {answer_text(row.truth)}, answered {answer_text(row.answer)}\n"
            f"loss {row.loss:.3g}" + (f", p {row.p:.2g}" if row.p is not None else ""),
            fontsize=8,
        )
    for axes in grid:
        axes.set_axis_off()
    headline(figure, title)


@draw_figure.register(Confusion)
def draw_confusion(answer: Confusion, figure: Figure) -> None:
    """A row for each true class, shaded by the share of its samples that got each answer, with the
    counts.
    """
    counts = numpy.array(answer.counts, dtype=float)
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    columns = (
        ("right no", "false yes", "false no", "right yes") if answer.labels else answer.classes
    )
    side = 2.2 + 0.42 * min(max(counts.shape), MAX_NAMED)
    figure.set_size_inches(side + 1.2, side)
    axes, colours = figure.subplots(), current_palette()
    shown = axes.imshow(shares, cmap=sequential(), vmin=0, vmax=1, aspect="auto")
    if max(counts.shape) <= MAX_NAMED:
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
                        color=colours["raised" if shares[row, column] > 0.5 else "ink"],
                    )
    axes.set(
        xlabel="outcome" if answer.labels else "answer",
        ylabel="label" if answer.labels else "truth",
    )
    headline(figure, f"{answer.right:,} of {answer.total:,} right in {answer.part}")
    figure.colorbar(shown, ax=axes, label="share of the row")
