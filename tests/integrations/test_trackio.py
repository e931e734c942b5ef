"""trackio is told the curves and the findings of a run; a stand-in notes the calls."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import sevensteps as ss


@pytest.fixture(scope="module")
def run() -> ss.Run:
    """A run with findings, and without a folder."""
    return ss.train("speed", predict="mlp(20)", stop="epochs(20)", out=False)


def test_trackio_is_told_curves_and_alerts(run: ss.Run, monkeypatch: pytest.MonkeyPatch) -> None:
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
    importlib.import_module("sevensteps.integrations.trackio").log_run(run)
    names = [name for name, _ in calls]
    assert names == ["init", *["log"] * len(run.history), *["alert"] * len(run.findings), "finish"]
