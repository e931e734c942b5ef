"""A sample, the worst samples, and the confusion of classes, each on one screen."""

from __future__ import annotations

from itertools import count, takewhile

import torch

from sevensteps.explain.base import render_text
from sevensteps.explain.sample.answer import LayerOutput, OutputRow, Sample, answer_text
from sevensteps.explain.sample.batch import Batch
from sevensteps.explain.sample.confusion import Confusion
from sevensteps.explain.sample.worst_and_best import Samples
from sevensteps.render.image import feature_lines, shaded_image
from sevensteps.render.text import command_lines, count_text, number_text, side_by_side, wrap

MAX_CLASSES = 12  # rows of the table; of more classes the likeliest, and the right one


@render_text.register(Sample)
def render_sample(sample: Sample, width: int) -> str:
    """The sample, no line wider than `width`."""
    source = sample.input
    if source.kind == "image" and len(source.shape) == 3:
        drawn = shaded_image(torch.tensor(source.raw).view(source.shape), source.highest)
    else:
        drawn = feature_lines(
            source.names or tuple(f"x[{i}]" for i in range(len(source.raw))),
            source.raw,
            source.fed,
            source.written,
        )
    side = output_table(sample, width - max(map(len, drawn)) - 2)
    lines = [*wrap(sample.title, width), ""]
    lines += (
        side_by_side(drawn, side, 2)
        if side
        else [*(line[:width].rstrip() for line in drawn), "", *output_table(sample, width)]
    )
    lines += ["", *loss_lines(sample, width)]
    for why in sample.why:
        lines += wrap(why, width)
    lines += ["", "Layers, largest numbers first where not all fit:"]
    label = max((len(f"{layer.name} {layer.kind}") for layer in sample.layers), default=0)
    lines += [
        _layer_line(layer, label, width)
        for layer in sample.layers
        if layer.kind not in ("Flatten", "Identity", "Dropout")
    ]
    return "\n".join(lines)


def output_table(sample: Sample, width: int) -> list[str]:
    """Output, probability, target, loss and dL/d(output) of each class; empty if it does not fit.

    In four digits, or in three if that is wider than `width`.
    """
    return next(
        (
            lines
            for digits in (4, 3)
            if max(map(len, lines := _table_lines(sample, digits, width))) <= width
        ),
        [],
    )


def _table_lines(sample: Sample, digits: int, width: int) -> list[str]:
    probable = any(row.probability is not None for row in sample.rows)
    rows = _shown_rows(sample.rows)
    cells = [["", "output", *(["p"] if probable else []), "target", "loss", "dL/do"]]
    for row in rows:
        numbers = [
            row.output,
            *([row.probability] if probable else []),
            row.target,
            row.loss,
            row.slope,
        ]
        cells.append(
            [
                row.name[: max(8, width - 55)],
                *("" if number is None else number_text(number, digits) for number in numbers),
            ]
        )
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = [
        "  ".join(
            f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}"
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return (
        [*lines, f"and {len(sample.rows) - len(rows)} more, less likely"]
        if len(rows) < len(sample.rows)
        else lines
    )


def _shown_rows(rows: tuple[OutputRow, ...]) -> list[OutputRow]:
    if len(rows) <= MAX_CLASSES:
        return list(rows)
    likely = sorted(rows, key=lambda row: -(row.output or 0.0))[: MAX_CLASSES - 1]
    right = [row for row in rows if row.loss is not None and row not in likely]
    return sorted([*likely, *right[:1]], key=lambda row: row.index)


def loss_lines(sample: Sample, width: int) -> list[str]:
    """The loss's formula with its numbers, and its derivative by the output."""
    first = sample.terms[0]
    if len(sample.terms) == 1:
        lines = wrap(f"{sample.loss_name}: {first.formula} = {number_text(sample.loss, 6)}", width)
    else:
        shown = ", ".join(number_text(term.value) for term in sample.terms[:6]) + (
            ", …" if len(sample.terms) > 6 else ""
        )
        lines = wrap(
            f"{sample.loss_name}: the mean of {len(sample.terms)} numbers, {shown} = "
            f"{number_text(sample.loss, 6)}",
            width,
        )
        at = max(range(len(sample.terms)), key=lambda i: sample.terms[i].value)
        lines += wrap(
            f"largest, of {sample.rows[at].name}: {sample.terms[at].formula} = "
            f"{number_text(sample.terms[at].value)}",
            width,
            "  ",
        )
    steepest = max(range(len(sample.slopes)), key=lambda i: abs(sample.slopes[i]))
    slope = sample.terms[steepest if len(sample.terms) > 1 else 0].slope
    of = "" if len(sample.slopes) == 1 else f" of {sample.rows[steepest].name}, the largest,"
    return [*lines, *wrap(f"dL/do{of} = {number_text(sample.slopes[steepest])}, by {slope}", width)]


def _layer_line(layer: LayerOutput, label: int, width: int) -> str:
    """As many of a layer's numbers as fit on the line, largest first; in their order where all
    fit.
    """
    start = f"{f'{layer.name} {layer.kind}':<{label}}  {_times(layer.shape):<4}"

    def line(most: int) -> str:
        return start + "".join(
            f" {name} {number_text(value, 3)}" for name, value in layer.largest(most)
        )

    fitting = list(takewhile(lambda n: n <= len(layer.values) and len(line(n)) <= width, count(1)))
    return line(fitting[-1]) if fitting else start[:width]


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


@render_text.register(Samples)
def render_samples(samples: Samples, width: int) -> str:
    """A row for each sample, by its loss, and the confusion of the classes."""
    size = "largest" if samples.which == "worst" else "smallest"
    lines = wrap(
        f"The {count_text(len(samples.ranked), 'sample')} of {samples.total:,} in {samples.part} "
        f"with the {size} loss ({samples.loss_name}; the mean is {number_text(samples.mean)})",
        width,
    )
    probable = any(row.p is not None for row in samples.ranked)
    cells = [["sample", "truth", "answer", "loss", *(["p of the truth"] if probable else [])]]
    most = max(8, (width - 44) // 2)
    for row in samples.ranked:
        cells.append(
            [
                f"{row.index}",  # to be typed: 1,408 would be two samples
                answer_text(row.truth)[:most],
                answer_text(row.answer)[:most],
                number_text(row.loss),
                *([number_text(row.p)] if row.p is not None else []),
            ]
        )
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines += [
        "",
        *(
            "  ".join(f"{cell:>{w}}" for cell, w in zip(line, widths, strict=True))
            for line in cells
        ),
    ]
    if samples.ranked:
        lines += ["", "Look at one:", *command_lines(samples.command, width)]
    return "\n".join(
        [*lines, *(["", render_confusion(samples.confusion, width)] if samples.confusion else [])]
    )


@render_text.register(Confusion)
def render_confusion(confusion: Confusion, width: int) -> str:
    """The confusion as a table, and the pairs confused most often."""
    share = (
        f"{confusion.right:,} of {confusion.total:,} right, {confusion.right / confusion.total:.2%}"
    )
    heading = "label" if confusion.labels else "truth ↓ answer →"
    columns = (
        ("right no", "false yes", "false no", "right yes")
        if confusion.labels
        else confusion.classes
    )
    label = min(max(len(heading), *map(len, confusion.classes)), 24)
    wide = (
        max(
            *(len(f"{count:,}") for row in confusion.counts for count in row),
            *(min(len(name), 9) for name in columns),
        )
        + 2
    )
    lines = [*wrap(f"Confusion of the {confusion.part} part: {share}", width), ""]
    if label + wide * len(columns) <= width:
        lines.append(f"{heading:<{label}}" + "".join(f"{name[:9]:>{wide}}" for name in columns))
        for name, row in zip(confusion.classes, confusion.counts, strict=True):
            lines.append(
                f"{name[:label]:<{label}}" + "".join(f"{count or '·':>{wide}}" for count in row)
            )
    else:
        lines.append(
            f"{len(confusion.classes)} classes are more than fit here; --plot or --json has the "
            "table"
        )
    mistakes = ", ".join(
        f"{truth} taken for {answer} ({count:,})" for truth, answer, count in confusion.mistakes[:3]
    )
    return "\n".join([*lines, *(["", *wrap(f"Most often: {mistakes}", width)] if mistakes else [])])


@render_text.register(Batch)
def render_batch(batch: Batch, width: int) -> str:
    """The table of the book: the probabilities of the classes, target, idx and loss; of many
    classes only those of the target and of the answer.
    """
    kind = "probabilities" if batch.probabilities else "outputs"
    lines = wrap(
        f"{count_text(len(batch.rows), 'sample')} of {batch.part}: the {kind} of each, its target, "
        f"its place idx in this batch, and its loss by {batch.loss_name}",
        width,
    )
    forms = [(4, True, 2), (3, True, 2), (2, True, 2), (2, False, 2), (2, False, 1), (0, True, 2)]
    tables = (_batch_table(batch, *form) for form in forms)
    table = next((rows for rows in tables if max(map(len, rows)) <= width), [])
    lines += ["", *table, ""]
    first = batch.rows[0]
    if batch.probabilities and first.truth in batch.columns:
        p = first.values[batch.columns.index(first.truth)]
        lines += wrap(
            f"The target picks the column: row 0 has {number_text(p)} under {first.truth}.", width
        )
    return "\n".join(
        [*lines, *wrap(f"The loss of the batch is the mean: {number_text(batch.mean)}", width)]
    )


def _batch_table(batch: Batch, digits: int, named: bool, gap: int) -> list[str]:
    """The table with so many `digits`; with none only the probability, or output, of the target.
    `named`: with the names of truth and answer.
    """
    several = digits and len(batch.columns) <= MAX_CLASSES
    names = list(batch.columns) if several else ["p" if batch.probabilities else "output"]
    tail = ["truth", "answer"] if named else []
    rows = [["sample", *names, "targ", "idx", "loss", *tail]]
    for row in batch.rows:
        values = row.values
        if not several:
            known = row.truth in batch.columns
            values = (values[batch.columns.index(row.truth) if known else 0],)
        rows.append(
            [
                str(row.sample),
                *(f"{value:.{digits or 4}f}" for value in values),
                number_text(row.target),
                str(row.idx),
                number_text(row.loss, 4 if named else 3),
                *([answer_text(row.truth), answer_text(row.answer)] if named else []),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (" " * gap).join(f"{cell:>{size}}" for cell, size in zip(row, widths, strict=True))
        for row in rows
    ]
