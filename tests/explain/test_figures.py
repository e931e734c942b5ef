"""Pictures of samples and gradients: a figure is made for every kind of run, its axes are labelled,
a file is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sevensteps.errors import ArgumentError
from tests.explain.conftest import GRADIENTS, MADE, runs

assert runs  # the fixture

ANSWERS: dict[str, Callable[[Any], Any]] = {
    "sample": lambda explain: explain.sample(1),
    "worst": lambda explain: explain.samples(worst=3),
    "confusion": lambda explain: explain.confusion(),
    "gradient": lambda explain: explain.gradient(
        1, next(iter(explain.subject.network.state_dict()))
    ),
    "bias": lambda explain: explain.gradient(1, "output.bias"),
    "backward": lambda explain: explain.gradient([0, 1]),
}


NAMES = ("digits", "cnn", "iris", "diabetes", "labels", "several", "hinge")
REGRESSIONS = ("diabetes", "several")  # have no confusion
DRAWN_ALIKE = ("cnn", "several", "hinge")  # as digits, diabetes and iris are


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(name, kind, marks=[pytest.mark.slow] if name in DRAWN_ALIKE else [])
        for name in NAMES
        for kind in ANSWERS
        if kind != "confusion" or name not in REGRESSIONS
    ],
)
@pytest.mark.sampled(4)
def test_every_picture(runs: Any, tmp_path: Path, name: str, kind: str) -> None:
    figure = ANSWERS[kind](runs(name).explain).plot(tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 5000
    for axes in figure.axes:
        if axes.axison and axes.get_label() != "<colorbar>":
            assert axes.get_xlabel() or axes.get_ylabel()
    assert figure.get_suptitle() or figure.axes[0].get_title()


@pytest.mark.parametrize("name", sorted({*MADE} - {*GRADIENTS}))
def test_networks_without_a_gradient_have_a_sample(runs: Any, name: str) -> None:
    assert len(runs(name).explain.sample(0).plot().axes) == 2


def test_the_input_is_the_image(runs: Any) -> None:
    found = runs("digits").explain.sample(3)
    drawn = found.plot().axes[0].images[0].get_array()
    assert np.array_equal(drawn, np.array(found.input.raw).reshape(8, 8))


def test_the_heat_maps_are_weights_and_gradient(runs: Any) -> None:
    found = runs("digits").explain.gradient(3, "layer1.weight", (5, 20))
    weights, slopes = (axes.images[0].get_array() for axes in found.plot().axes[:2])
    assert np.allclose(weights, runs("digits").network[1].weight[5].detach().view(8, 8), atol=1e-7)
    assert np.allclose(slopes, found.gradients[5].view(8, 8))
    mark = found.plot().axes[0].patches[0]
    assert (mark.get_x() + 0.5, mark.get_y() + 0.5) == (20 % 8, 20 // 8)


def test_another_format_is_refused(runs: Any) -> None:
    with pytest.raises(
        ArgumentError, match=r"a plot is written as \.png or \.svg, not as 'x\.gif'"
    ):
        runs("digits").explain.sample(0).plot("x.gif")
