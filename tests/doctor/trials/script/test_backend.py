"""Processes that run a script side by side."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import pytest

from sevensteps.doctor.trials.scheduler import TIME_IS_OVER, Clock
from sevensteps.doctor.trials.script.backend import (
    SCORE,
    TRAIN_LOSS,
    VALID_LOSS,
    ScriptBackend,
    ScriptRun,
    measure_of,
    value_of,
)
from sevensteps.doctor.trials.script.measure import ACCURACY
from sevensteps.errors import RunError

RESULT: dict[str, Any] = {
    "steps": 5,
    "loss": 2.0,
    "valid_score": 0.5,
    "valid_loss": 3.0,
    "kept": [ACCURACY, 0.25],
}


@pytest.mark.parametrize(
    ("missing", "changes_loss", "measure", "value"),
    [
        ((), False, SCORE, 0.5),
        ((), True, SCORE, 0.5),
        (("valid_score",), False, VALID_LOSS, -3.0),
        (("valid_score",), True, ACCURACY, 0.25),
        (("valid_score", "valid_loss"), False, ACCURACY, 0.25),
        (("valid_score", "valid_loss", "kept"), False, TRAIN_LOSS, -2.0),
        (("valid_score", "valid_loss", "kept"), True, None, None),
    ],
)
def test_the_measure_is_what_the_change_leaves_alone(
    missing: tuple[str, ...], changes_loss: bool, measure: str | None, value: float | None
) -> None:
    result = {**RESULT, **dict.fromkeys(missing)}
    assert measure_of(result, changes_loss) == measure
    if measure is not None:
        assert value_of(result, measure) == value
    assert math.isnan(value_of({**RESULT, "kept": None}, ACCURACY))


def test_a_script_that_does_not_train_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("print('one')\nraise SystemExit('no data here')\n")
    with (
        ScriptBackend(ScriptRun(["train.py"]), Clock(60), 2) as backend,
        pytest.raises(RunError, match="no data here"),
    ):
        backend.train([({}, 0)])


def test_a_run_ends_with_the_time_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("import time\nwhile True: time.sleep(0.1)\n")
    began = time.perf_counter()
    with ScriptBackend(ScriptRun(["train.py"]), Clock(0.5), 2) as backend:
        with pytest.raises(RunError, match=TIME_IS_OVER):
            backend.train([({}, 0), ({}, 1), ({}, 2)])
        children = [child.process for child in backend._children]
        folder = backend.folder
    assert time.perf_counter() - began < 30
    assert len(children) == 2
    for process in children:
        assert process.poll() is not None
        if process.pid is not None:  # else it had not begun
            with pytest.raises(ProcessLookupError):
                os.kill(process.pid, 0)
    assert not folder.exists()
