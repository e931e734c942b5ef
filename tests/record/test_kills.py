"""Trainings that are killed at random moments: nothing is lost but the time since the last state,
and the end is the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.counts import count

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.timeout(900)  # as many restarts as kills, on a busy machine too
@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.long
def test_killed_at_random_moments(kills: int, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.helpers.killed_trainings", str(kills), "0", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    count("kills survived, with the end of a training that was not killed", found["kills"])
    assert found["kills"] == kills
    assert found["differing"] == 0
    assert found["unreadable"] == []
    assert found["states"] > 1
