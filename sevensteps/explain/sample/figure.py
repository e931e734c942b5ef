"""One sample as a picture: the input beside what the network says of it."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from sevensteps.explain.sample.answer import Given, Sample

RIGHT, OTHER, WRONG = "#2a7f62", "#9aa0a6", "#c0392b"
MOST = 12  # bars


def draw(answer: Sample) -> Figure:
    """The input on the left, on the right a bar for each class: green is the truth, red a wrong
    answer; or one for a single score.
    """
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    show_input(left, answer.given)
    rows = sorted(
        sorted(answer.rows, key=lambda row: -(row.probability or row.output or 0.0))[:MOST],
        key=lambda row: row.index,
    )
    probable = any(row.probability is not None for row in rows)
    values = [row.probability if probable else row.output for row in rows]
    if answer.right is None:
        right.barh(["answer", "truth"], _numbers(answer), color=[OTHER, RIGHT])
        right.set_xlabel("target, in its own units")
    elif len(rows) == 1:  # a score of one output
        right.barh(
            [f"score for {rows[0].name}"],
            [rows[0].output or 0.0],
            height=0.3,
            color=RIGHT if answer.right else WRONG,
        )
        right.axvline(answer.threshold, color="black", linewidth=0.8)
        reach = 1.2 * max(abs((rows[0].output or 0.0) - answer.threshold), 0.5)
        right.set(
            xlabel=f"output: above {answer.threshold:g} the answer is {rows[0].name}",
            ylim=(-0.5, 0.5),
            xlim=(answer.threshold - reach, answer.threshold + reach),
        )
    else:
        colors = [
            RIGHT
            if row.target
            else WRONG
            if row.name == answer.answer and not answer.right
            else OTHER
            for row in rows
        ]
        right.barh([row.name for row in rows], [value or 0.0 for value in values], color=colors)
        right.set_xlabel("probability" if probable else "output")
        right.set_ylabel("class (green: the truth)")
    if probable:
        right.set_xlim(0, 1)
    if len(rows) > 1 or answer.right is None:
        right.invert_yaxis()
    right.set_title(f"{answer.loss_name} {answer.loss:.4g}", fontsize=10)
    figure.suptitle(answer.title, fontsize=11)
    return figure


def _numbers(answer: Sample) -> list[float]:
    """Answer and truth of a regression; of several numbers the first."""
    return [held[0] if isinstance(held, tuple) else held for held in (answer.answer, answer.truth)]


def show_input(axes: Any, given: Given) -> None:
    """An image as it is, a row of a table as bars of what the network is fed, with the raw values
    in their labels.
    """
    if given.kind == "image" and len(given.shape) == 3:
        image(axes, given.raw, given.shape, given.highest)
        axes.set(xlabel="column (pixels)", ylabel="row (pixels)")
        return
    names = given.names or tuple(f"x[{i}]" for i in range(len(given.raw)))
    labels = [
        f"{name} = {raw:.4g}" for name, raw in list(zip(names, given.raw, strict=True))[:MOST]
    ]
    axes.barh(labels, given.fed[:MOST], color=OTHER)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="as the network is fed", ylabel="feature = raw value")
    axes.invert_yaxis()


def image(
    axes: Any, raw: tuple[float, ...], shape: tuple[int, ...], highest: float | None = None
) -> None:
    """Raw pixels [C, H, W], given flat: one channel in grays, three in colours."""
    import numpy

    pixels = numpy.asarray(raw, dtype=float).reshape(shape)
    if shape[0] == 3:
        axes.imshow(numpy.clip(pixels.transpose(1, 2, 0) / (highest or pixels.max() or 1.0), 0, 1))
    else:
        axes.imshow(pixels.mean(0), cmap="gray", vmin=0 if highest else None, vmax=highest)
