"""A sample on one screen: the input, the book's table, the loss with its numbers, the layers."""

from __future__ import annotations

from itertools import count, takewhile
from typing import TYPE_CHECKING

import torch

from sevensteps.render.ascii import beside, features, shades
from sevensteps.render.text import figure, wrapped

if TYPE_CHECKING:
    from sevensteps.explain.sample.answer import LayerSeen, Row, Sample

CLASSES = 12  # rows of the table; of more classes the likeliest, and the right one


def text(found: Sample, width: int) -> str:
    """The sample, no line wider than `width`."""
    given = found.given
    if given.kind == "image" and len(given.shape) == 3:
        drawn = shades(torch.tensor(given.raw).view(given.shape), given.highest)
    else:
        drawn = features(
            given.names or tuple(f"x[{i}]" for i in range(len(given.raw))), given.raw, given.fed
        )
    side = table(found, width - max(map(len, drawn)) - 2)
    lines = [*wrapped(found.title, width), ""]
    lines += (
        beside(drawn, side, 2)
        if side
        else [*(line[:width].rstrip() for line in drawn), "", *table(found, width)]
    )
    lines += ["", *loss_lines(found, width)]
    for why in found.why:
        lines += wrapped(why, width)
    lines += ["", "Layers, largest numbers first where not all fit:"]
    label = max((len(f"{layer.name} {layer.kind}") for layer in found.layers), default=0)
    lines += [
        _layer(layer, label, width)
        for layer in found.layers
        if layer.kind not in ("Flatten", "Identity", "Dropout")
    ]
    return "\n".join(lines)


def table(found: Sample, width: int) -> list[str]:
    """The book's table: output, probability, target, loss and dL/d(output) of each class, in fewer
    digits or nothing where it is wider.
    """
    return next(
        (
            lines
            for digits in (4, 3)
            if max(map(len, lines := _table(found, digits, width))) <= width
        ),
        [],
    )


def _table(found: Sample, digits: int, width: int) -> list[str]:
    probable = any(row.probability is not None for row in found.rows)
    rows = _shown(found.rows)
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
                *("" if number is None else figure(number, digits) for number in numbers),
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
        [*lines, f"and {len(found.rows) - len(rows)} more, less likely"]
        if len(rows) < len(found.rows)
        else lines
    )


def _shown(rows: tuple[Row, ...]) -> list[Row]:
    if len(rows) <= CLASSES:
        return list(rows)
    likely = sorted(rows, key=lambda row: -(row.output or 0.0))[: CLASSES - 1]
    right = [row for row in rows if row.loss is not None and row not in likely]
    return sorted([*likely, *right[:1]], key=lambda row: row.index)


def loss_lines(found: Sample, width: int) -> list[str]:
    """The loss's formula with its numbers, and its derivative by the output."""
    first = found.terms[0]
    if len(found.terms) == 1:
        lines = wrapped(f"{found.loss_name}: {first.formula} = {figure(found.loss, 6)}", width)
    else:
        shown = ", ".join(figure(term.value) for term in found.terms[:6]) + (
            ", …" if len(found.terms) > 6 else ""
        )
        lines = wrapped(
            f"{found.loss_name}: the mean of {len(found.terms)} numbers, {shown} = "
            f"{figure(found.loss, 6)}",
            width,
        )
        at = max(range(len(found.terms)), key=lambda i: found.terms[i].value)
        lines += wrapped(
            f"largest, of {found.rows[at].name}: {found.terms[at].formula} = "
            f"{figure(found.terms[at].value)}",
            width,
            "  ",
        )
    at = max(range(len(found.slopes)), key=lambda i: abs(found.slopes[i]))
    slope = found.terms[at if len(found.terms) > 1 else 0].slope
    of = "" if len(found.slopes) == 1 else f" of {found.rows[at].name}, the largest,"
    return [*lines, *wrapped(f"dL/do{of} = {figure(found.slopes[at])}, by {slope}", width)]


def _layer(layer: LayerSeen, label: int, width: int) -> str:
    """As many of a layer's numbers as fit on the line, largest first; in their order where all
    fit.
    """
    start = f"{f'{layer.name} {layer.kind}':<{label}}  {_shape(layer.shape):<4}"

    def line(most: int) -> str:
        return start + "".join(f" {name} {figure(value, 3)}" for name, value in layer.largest(most))

    fitting = list(takewhile(lambda n: n <= len(layer.values) and len(line(n)) <= width, count(1)))
    return line(fitting[-1]) if fitting else start[:width]


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
