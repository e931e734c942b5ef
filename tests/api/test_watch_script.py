"""What a process of a watched script leaves for another, and what is printed at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sevensteps.api.watch_script import deliver, leave, with_others
from sevensteps.doctor.report.script import ProcessReport, TrainingReport


def report_of(*conditions: str, steps: int = 10) -> ProcessReport:
    diagnosis = {"findings": [{"condition": condition} for condition in conditions]}
    training = TrainingReport("net", "a.py:1", steps, None, ("SGD",), "text", diagnosis)
    return ProcessReport((training,))


def left_by(folder: Path, monkeypatch: pytest.MonkeyPatch, *reports: ProcessReport) -> None:
    for rank, report in enumerate(reports):
        monkeypatch.setenv("RANK", str(rank))
        leave(report, folder)


def test_processes_that_found_the_same_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "left"
    left_by(folder, monkeypatch, report_of("dead_units"), report_of("dead_units"), report_of())
    report = with_others(ProcessReport(nothing="nothing here"), folder)
    assert [len(t.diagnosis["findings"]) for t in report.trainings] == [1, 0]
    assert report.nothing == ""
    assert "1 more of its processes" in report.others[0]
    assert not folder.exists()


def test_a_process_that_trained_itself_speaks_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_by(tmp_path / "left", monkeypatch, report_of("dead_units"))
    own = report_of(steps=99)
    assert with_others(own, tmp_path / "left") is own


def test_the_report_is_printed_and_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {
        "folder": str(tmp_path / "left"),
        "json": str(tmp_path / "a.json"),
        "report": str(tmp_path / "a.html"),
    }
    deliver(report_of("dead_units"), settings)
    screen = capfd.readouterr()
    assert screen.out == ""
    assert "sevensteps: net · called at a.py:1 · 10 steps · SGD" in screen.err
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["trainings"][0]["diagnosis"]["findings"] == [{"condition": "dead_units"}]
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")


LOADED = """
import sys
from sevensteps.api import watch_script
from sevensteps.observe.script import hooks

def loaded(*names):
    return [m for m in sys.modules for name in names if m == name or m.startswith(name + ".")]

early = loaded("sevensteps.doctor", "sevensteps.engine", "sevensteps.observe.any_loop_watcher")
assert not early, early
from sevensteps.api import watch
assert loaded("sevensteps.doctor.diagnosis")
never = loaded("sevensteps.racing", "sevensteps.doctor.trials.retrain", "scipy", "sklearn")
assert not never, never
"""


@pytest.mark.long
def test_a_script_waits_for_no_more_than_it_needs() -> None:
    """What watches is imported with the first training, what judges at the end, and what trains
    again never.
    """
    run = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
