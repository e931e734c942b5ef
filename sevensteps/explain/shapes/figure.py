"""The forward pass drawn: a box for each tensor, activations above, their parameters below."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sevensteps.explain.shapes.answer import LayerShapes, Shapes, shape_text
from sevensteps.render.figures import current_palette, draw_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTIVATION, PARAMETER, EDGE = "series-1", "series-2", "ink"  # tokens of the palette
ALPHA = 0.35  # of a box
# the longest axis of all, drawn; others by the square root of their lengths, else a bias could not
# be seen beside 784 pixels
LONGEST = 2.4
MAX_SHEETS = 8  # of a stack of channels that are drawn
SHIFT = 0.09  # between two of them
SHORTEST = 0.08
GAP = 0.9


@draw_figure.register(Shapes)
def draw_shapes(answer: Shapes, figure: Figure) -> None:
    """From left to right: the input, then what each layer gives; under a layer what it holds."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    colours = current_palette()

    longest = max(
        [
            *answer.input,
            *(
                size
                for row in answer.rows
                for shape in (row.output, *row.parameters.values())
                for size in shape
            ),
        ]
    )
    scale = LONGEST / math.sqrt(longest)
    axes = figure.subplots()
    axes.set_aspect("equal")
    axes.axis("off")
    right = _draw_tensor(axes, 0.0, 0.0, answer.input, scale, ACTIVATION, "input")
    low, high = 0.0, LONGEST / 2 + 0.8
    for row in answer.rows:
        left = right + GAP
        axes.annotate(
            "",
            (left - 0.12, 0),
            (right + 0.12, 0),
            arrowprops={"arrowstyle": "->", "color": current_palette()[EDGE]},
        )
        right = _draw_tensor(
            axes, left, 0.0, row.output, scale, ACTIVATION, f"{row.name}\n{row.kind}"
        )
        below, end = _draw_parameters(axes, left, row, scale)
        right, low = max(right, end), min(low, below)
    axes.set_xlim(-0.6, right + 0.6)
    axes.set_ylim(low, high)
    axes.legend(
        handles=[
            Patch(
                facecolor=to_rgba(colours[ACTIVATION], ALPHA),
                edgecolor=colours[EDGE],
                label=f"activations: {answer.activations:,} numbers, computed anew for each batch",
            ),
            Patch(
                facecolor=to_rgba(colours[PARAMETER], ALPHA),
                edgecolor=colours[EDGE],
                label=f"parameters: {answer.parameters:,} numbers, learned and kept",
            ),
        ],
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        ncols=2,
    )
    axes.set_title(
        f"One batch of {answer.batch}: samples across, units down, channels stacked; a side grows "
        "with the square root of its "
        "axis",
        fontsize=10,
    )
    figure.set_size_inches(max(9.0, min(right + 1.2, 26.0)), max(4.0, min(high - low + 1.0, 12.0)))


def _draw_parameters(
    axes: Axes, left: float, row: LayerShapes, scale: float
) -> tuple[float, float]:
    """The parameters of a layer, one under the other. Returns how low they reach, and how far to
    the right.
    """
    top, end = -LONGEST / 2 - 0.75, left
    for name, shape in row.parameters.items():
        wide, tall = _parameter_size(shape, scale)
        _draw_box(axes, left, top - tall, wide, tall, PARAMETER)
        axes.text(left, top + 0.07, f"{name} {shape_text(shape)}", fontsize=7, va="bottom")
        top, end = top - tall - 0.4, max(end, left + max(wide, 1.1))
    return top, end


def _draw_tensor(
    axes: Axes,
    left: float,
    middle: float,
    shape: tuple[int, ...],
    scale: float,
    colour: str,
    name: str,
) -> float:
    """Samples across, units down; of images a stack of channels, each as high and wide as it is.
    Returns where it ends.
    """
    if len(shape) == 4:
        tall, wide = (
            max(scale * math.sqrt(shape[2]), SHORTEST),
            max(scale * math.sqrt(shape[3]), SHORTEST),
        )
        sheets = min(shape[1], MAX_SHEETS)
        for index in reversed(range(sheets)):
            _draw_box(
                axes, left + SHIFT * index, middle - tall / 2 + SHIFT * index, wide, tall, colour
            )
        wide, high = wide + SHIFT * (sheets - 1), tall / 2 + SHIFT * (sheets - 1)
    else:
        wide = max(scale * math.sqrt(shape[0]), SHORTEST)
        tall = max(scale * math.sqrt(math.prod(shape[1:])), SHORTEST)
        _draw_box(axes, left, middle - tall / 2, wide, tall, colour)
        high = tall / 2
    axes.text(left + wide / 2, middle + high + 0.08, name, ha="center", va="bottom", fontsize=8)
    axes.text(
        left + wide / 2,
        middle - tall / 2 - 0.08,
        shape_text(shape),
        ha="center",
        va="top",
        fontsize=7,
    )
    return left + wide


def _parameter_size(shape: tuple[int, ...], scale: float) -> tuple[float, float]:
    """Width and height of a parameter: a matrix [outputs, inputs] is as wide as its outputs and as
    high as its inputs, as x meets it.
    """
    if len(shape) < 2:
        return max(scale * math.sqrt(math.prod(shape)), SHORTEST), SHORTEST
    return max(scale * math.sqrt(shape[0]), SHORTEST), max(
        scale * math.sqrt(math.prod(shape[1:])), SHORTEST
    )


def _draw_box(axes: Axes, x: float, y: float, wide: float, tall: float, token: str) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    colours = current_palette()
    face = to_rgba(colours[token], ALPHA)
    axes.add_patch(
        Rectangle((x, y), wide, tall, facecolor=face, edgecolor=colours[EDGE], linewidth=0.7)
    )
