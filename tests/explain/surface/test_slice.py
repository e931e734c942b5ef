"""The slice of the loss through the end of a training, and the way of the training in it."""

from __future__ import annotations

import numpy as np
import pytest

import sevensteps as ss
from sevensteps.explain.surface.answer import Surface


def test_the_plane_goes_through_the_end_and_shows_the_way(speed: Surface) -> None:
    plane = speed.plane
    assert plane is not None
    assert plane.again
    assert len(plane.path) == 11
    assert plane.path[-1][1:] == pytest.approx((0, 0), abs=1e-5)
    a, b = plane.path[0][1:]
    assert plane.share is not None
    assert a**2 + b**2 == pytest.approx(
        plane.share * sum(own**2 for own in speed.optimum.own), rel=1e-3
    )  # type: ignore[union-attr]
    assert min(map(min, plane.losses)) < speed.loss
    across, up = np.abs(plane.across).argmin(), np.abs(plane.up).argmin()
    top, low = speed.eigenvalues[0], speed.eigenvalues[-1]
    grid, x, y = np.array(plane.losses), np.array(plane.across), np.array(plane.up)
    bend = (grid[up, across + 1] - 2 * grid[up, across] + grid[up, across - 1]) / (x[1] - x[0]) ** 2
    assert bend == pytest.approx(top, rel=1e-6), (
        "a second difference along the steepest direction is its curvature"
    )
    assert (grid[up + 1, across] - 2 * grid[up, across] + grid[up - 1, across]) / (
        y[1] - y[0]
    ) ** 2 == pytest.approx(low, rel=1e-6)
    assert plane.optimum is not None
    shades = plane.blocks()
    assert {"o", "x", "*"} <= set("".join(shades))


def test_only_start_and_end_where_training_again_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sevensteps.explain.surface import slice

    monkeypatch.setattr(slice, "MAX_REPEAT_SECONDS", -1.0)
    surface = ss.train("circles", predict="mlp(4)", stop="epochs(2)", out=False).explain.surface()
    assert surface.plane is not None
    assert not surface.plane.again
    assert [step for step, _, _ in surface.plane.path] == [0]
