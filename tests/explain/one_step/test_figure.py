"""The pictures of a step and of what a run is compared with: what is drawn are the answer's
numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

import sevensteps as ss


def trained(data: str = "digits", **steps: Any) -> ss.Run:
    changes = {"predict": "mlp(10)", "step": "sgd(lr=0.1)", "stop": "epochs(3)", **steps}
    return ss.train(data, **changes, threads=1, out=False, progress=False)


def test_the_bars_of_a_step_are_its_losses_and_changes(tmp_path: Path) -> None:
    steps = trained().explain.steps(2)
    figure: Figure = steps.plot(tmp_path / "step.png")
    left, right = figure.axes
    assert [bar.get_height() for bar in left.patches] == pytest.approx(steps.losses)
    assert [bar.get_width() for bar in right.patches] == pytest.approx(
        [100 * (layer.relative or 0) for layer in steps.layers]
    )
    assert "samples" in left.get_ylabel()
    assert "%" in right.get_xlabel()
    assert (tmp_path / "step.png").stat().st_size > 5000


def test_weights_that_were_all_zero_have_lengths() -> None:
    steps = trained(predict="linear()").explain.steps()
    right = steps.plot().axes[1]
    assert [bar.get_width() for bar in right.patches] == pytest.approx(
        [layer.change for layer in steps.layers]
    )
    assert "were all 0" in right.get_xlabel()


def test_the_line_of_a_run_is_its_history() -> None:
    run = trained()
    steps = run.explain.why()
    axes = steps.plot().axes[0]
    (line,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(line.get_ydata()) == pytest.approx(
        [row["valid"]["accuracy"] for row in run.history]
    )
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_marker() != "o"]
    assert sorted(heights) == pytest.approx(sorted(steps.levels.values()))
    assert "accuracy" in axes.get_ylabel()
