"""Observers hear of everything in order, and change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sevensteps.cli.training_output import JsonLines, PlanPrinter
from sevensteps.doctor.observer import DoctorObserver
from sevensteps.record.writer import Writer
from sevensteps.training.evaluation import evaluate
from sevensteps.training.state import Training
from sevensteps.view.progress import LiveLine, LogLines
from tests.training.trainings import (
    Watcher,
    same_bits,
    trained,
    without_times,
)


@pytest.mark.parametrize(
    "given",
    [{}, {"predict": "mlp(6, dropout=0.3, batch_norm=True)", "step": "adam(lr=0.01)"}],
    ids=["plain", "drawing"],
)
def test_observers_change_nothing(
    given: dict[str, Any], tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, ended = trained(**given)

    def meddle_by_reading(training: Training) -> None:
        evaluate(training, "train")
        training.checkpoint({"train": {}, "valid": {}})

    attending = DoctorObserver()
    observers = (
        attending,
        Writer(tmp_path / "run", "three"),
        LogLines(),
        LiveLine(),
        JsonLines(),
        PlanPrinter(attending),
        Watcher(meddle_by_reading),
    )
    watched, ended_too = trained(observers=observers, **given)
    assert same_bits(alone.network, watched.network)
    assert ended == ended_too
    assert without_times(alone.progress.history) == without_times(watched.progress.history)
    assert all(
        torch.equal(alone.generators[name].get_state(), watched.generators[name].get_state())
        for name in alone.generators
    )
    assert capsys.readouterr().err.count("epoch 3") == 1


def test_observers_are_told_everything_in_order() -> None:
    watcher = Watcher()
    trained(observers=(watcher,), stop="epochs(2)", repeat="batches(24)")
    assert watcher.seen == [
        "started",
        "stepped",
        "stepped",
        "evaluated",
        "stepped",
        "stepped",
        "evaluated",
        "stopped by epochs: all 2 epochs are done",
    ]
