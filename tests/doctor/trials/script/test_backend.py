"""Processes that run a script side by side."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sevensteps.doctor.trials.scheduler import TIME_IS_OVER, Clock
from sevensteps.doctor.trials.script.backend import ScriptBackend, ScriptRun
from sevensteps.errors import RunError


@pytest.mark.long
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
    clock = Clock(1e9)
    with ScriptBackend(ScriptRun(["train.py"]), clock, 2) as backend:
        # over as soon as both processors have a run, however long a process takes to begin
        monkeypatch.setattr(clock, "allows", lambda seconds: len(backend._children) < 2)
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
