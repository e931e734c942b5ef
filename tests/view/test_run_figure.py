"""A run as a figure: loss and metric of both parts."""

from __future__ import annotations

from pathlib import Path

import sevensteps as ss
from sevensteps.view.run_figure import plot_run


def test_loss_and_metric(healthy_run: ss.Run, tmp_path: Path) -> None:
    figure = healthy_run.plot(tmp_path / "run.png")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    assert [line.get_label() for line in figure.axes[0].lines] == ["training", "validation"]
    assert (tmp_path / "run.png").stat().st_size > 1000


def test_numbers_that_are_not_there() -> None:
    history = [{"step": 1, "train": {"loss": None}, "valid": {"loss": 0.5}}]
    figure = plot_run(history, "one evaluation")
    assert len(figure.axes) == 1
    assert figure.axes[0].lines[0].get_ydata()[0] == 0.5
