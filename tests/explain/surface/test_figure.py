"""The loss surface drawn: contours, the path from its start to its end, the optimum, and the
forecast.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss

pytest.importorskip("matplotlib")


@pytest.mark.long
def test_the_path_the_optimum_and_the_forecast(tmp_path: Path) -> None:
    surface = ss.train(
        "speed", predict="polynomial(2)", step="sgd(lr=1e-5)", stop="epochs(10)", out=False
    ).explain.surface()
    figure = surface.plot(tmp_path / "surface.svg")
    assert (tmp_path / "surface.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")
    left, right = figure.get_axes()[:2]
    lines = {line.get_label(): line for line in left.lines}
    assert surface.plane is not None
    assert list(lines["path of the training"].get_xdata()) == [a for _, a, _ in surface.plane.path]
    assert (
        lines["optimum, by least squares"].get_xdata()[0],
        lines["optimum, by least squares"].get_ydata()[0],
    ) == surface.plane.optimum
    assert {line.get_label(): list(line.get_ydata()) for line in right.lines} == {
        "measured": list(surface.measured),
        "predicted by the quadratic": list(surface.predicted),
    }
    assert "λ 5.65e+04" in left.get_xlabel()
    assert "lr 1e-05" in right.get_xlabel()


def test_a_loss_of_straight_pieces_has_the_forecast_only() -> None:
    surface = ss.train(
        "speed", predict="linear()", loss="mean_absolute_error()", stop="epochs(2)", out=False
    ).explain.surface()
    (axes,) = surface.plot().get_axes()
    assert len(axes.lines) == 2


def test_a_quadratic_that_runs_away_does_not_hide_the_loss() -> None:
    surface = ss.train(
        "iris", predict="mlp(5, activation='tanh')", stop="epochs(2)", out=False
    ).explain.surface()
    assert surface.eigenvalues[-1] < 0
    low, high = surface.plot().get_axes()[1].get_ylim()
    assert high - low < 10 * max(surface.measured)
