"""The environment in which Python starts to watch, and what a script sees of it: nothing."""

from __future__ import annotations

import json
import os

import pytest

from sevensteps.observe.script.launch import STARTUP, VARIABLE, restore, watch_settings, watched


@pytest.mark.parametrize("before", [None, "/some/where:/else"])
def test_the_environment_is_given_back(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if before is None:
        monkeypatch.delenv("PYTHONPATH", raising=False)
    else:
        monkeypatch.setenv("PYTHONPATH", before)
    settings = watch_settings(
        "module", json_file=None, report_file=None, budget=0.1, prints=True, keep=False
    )
    environment = watched(os.environ, settings)
    assert json.loads(environment[VARIABLE]) == settings
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == STARTUP
    own = dict(os.environ)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    restore(settings)
    assert dict(os.environ) == own
