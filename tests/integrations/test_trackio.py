"""trackio gets the curves and the findings of a run; a stand-in notes the calls."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sevensteps as ss


@pytest.fixture(scope="module")
def run() -> ss.Run:
    """A run with findings, and without a folder."""
    return ss.train("speed", predict="mlp(20)", stop="epochs(20)", out=False)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What is called of trackio, of which there is a stand-in."""
    calls: list[tuple[str, Any]] = []

    def record(name: str) -> Any:
        return lambda *args, **named: calls.append((name, (args, named)))

    stand_in = SimpleNamespace(
        AlertLevel=SimpleNamespace(INFO=0, WARN=1, ERROR=2),
        **{name: record(name) for name in ("init", "log", "alert", "finish")},
    )
    monkeypatch.setattr("sevensteps.integrations.library_of", lambda _: stand_in)
    monkeypatch.delitem(sys.modules, "sevensteps.integrations.trackio", raising=False)
    monkeypatch.setattr("sevensteps.integrations._is_installed", lambda _: True)
    return calls


def test_trackio_gets_curves_and_alerts(run: ss.Run, calls: list[tuple[str, Any]]) -> None:
    importlib.import_module("sevensteps.integrations.trackio").log_run(run)
    names = [name for name, _ in calls]
    assert names == ["init", *["log"] * len(run.history), *["alert"] * len(run.findings), "finish"]


def test_trackio_gets_them_while_the_training_runs(calls: list[tuple[str, Any]]) -> None:
    live = importlib.import_module("sevensteps.integrations.trackio").Live("speed", name="one")
    seen: list[int] = []

    class Reader(ss.Observer):
        def evaluated(self, training: object, row: object) -> None:
            seen.append(len(calls))

    ss.train("speed", stop="epochs(2)", out=False, observers=[live, Reader()])
    assert seen == [2, 3]
    assert calls[0][1][1]["project"] == "speed"
    assert calls[-1][0] == "finish"


def test_the_real_library_stores_curves_and_alerts(run: ss.Run, tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    script = """
import sevensteps as ss
from sevensteps.integrations import trackio
run = ss.train("speed", predict="mlp(20)", stop="epochs(20)", out=False)
trackio.log_run(run, project="speeds")
"""
    env = os.environ | {"TRACKIO_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=env, capture_output=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "speeds.db")) as store:
        metrics = [json.loads(row) for (row,) in store.execute("select metrics from metrics")]
        titles = [title for (title,) in store.execute("select title from alerts")]
    assert [row["valid/loss"] for row in metrics] == [
        pytest.approx(row["valid"]["loss"]) for row in run.history
    ]
    assert [title.split()[0] for title in titles] == [f.condition for f in run.findings]
