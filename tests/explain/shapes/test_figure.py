"""The shapes drawn: a box for each tensor, its sides by its shape, activations and parameters told
apart.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss

pytest.importorskip("matplotlib")

from sevensteps.render.palette import palette


def boxes(figure: Any, colour: str) -> list[tuple[float, float]]:
    from matplotlib.colors import to_hex

    (axes,) = figure.get_axes()
    return [
        (box.get_width(), box.get_height())
        for box in axes.patches
        if to_hex(box.get_facecolor()) == palette()[colour]
    ]


def test_a_box_for_each_tensor(tmp_path: Path) -> None:
    from sevensteps.explain.shapes.figure import ACTIVATION, PARAMETER

    found = ss.train(
        "digits", predict="mlp(16)", stop="max_steps(1)", repeat="batches(32)", out=False
    ).explain.shapes()
    figure = found.plot(tmp_path / "shapes.png")
    activations, parameters = boxes(figure, ACTIVATION), boxes(figure, PARAMETER)
    assert len(activations) == 1 + len(found.rows)
    assert len(parameters) == 4
    flat, hidden = activations[1], activations[2]  # [32, 64] and [32, 16]
    assert flat[1] / hidden[1] == pytest.approx(math.sqrt(64 / 16))
    assert flat[0] == hidden[0]
    weight = parameters[0]  # [16, 64], as x meets it
    assert weight[1] == pytest.approx(flat[1])
    assert weight[0] == pytest.approx(hidden[1])
    (axes,) = figure.get_axes()
    texts = [text.get_text() for text in axes.texts]
    assert {"[32, 64]", "[32, 16]", "weight [16, 64]", "bias [16]"} <= set(texts)
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend[0].startswith(f"activations: {found.activations:,} numbers")
    assert legend[1].startswith(f"parameters: {found.parameters:,} numbers")


def test_channels_are_stacked() -> None:
    from sevensteps.explain.shapes.figure import ACTIVATION

    found = ss.train("digits", predict="cnn(4)", stop="max_steps(1)", out=False).explain.shapes()
    # the input, 4 channels of the convolution, of the activation and of the pooling; then the flat
    # ones and the output
    assert len(boxes(found.plot(), ACTIVATION)) == 1 + 3 * 4 + 2
