"""Runs of a script that a process with PyTorch forks off, and in a Python of their own."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from sevensteps.doctor.trials.script import fork_server
from sevensteps.doctor.trials.script.fork_server import ForkServer, RunningScript

ENTRY = "entry_of_a_test"  # a module without a trial
SCRIPT = """
import os, sys
print(__name__, sys.argv, os.path.basename(sys.path[0]), os.getcwd(), os.environ["WORD"])
print("torch" in sys.modules, sys.stdin.read() == "", flush=True)
if sys.argv[1:] == ["wait"]:
    import time
    time.sleep(100)
raise SystemExit(int(sys.argv[1]))
"""
ACTIVATE = """
class Run:
    def source(self, path):
        return open(path, "rb").read()
def activate(settings):
    return Run()
"""


def request(folder: Path, *words: str) -> dict[str, Any]:
    (folder / "train.py").write_text(SCRIPT)
    (folder / f"{ENTRY}.py").write_text(ACTIVATE)
    return {
        "words": ["train.py", *words],
        "folder": str(folder),
        "environment": {**os.environ, "WORD": "given"},
        "settings": {"package": str(folder), "entry": ENTRY},
        "output": str(folder / f"output-{words[0]}"),
    }


def wait_for(process: RunningScript, seconds: float = 60.0) -> int | None:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return process.returncode


@pytest.mark.parametrize("forks", [True, False])
@pytest.mark.sampled(1)
def test_a_script_runs_as_python_runs_it(
    forks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "CAN_FORK", forks and fork_server.CAN_FORK)
    server = ForkServer(tmp_path)
    process = server.start(request(tmp_path, "3"))
    assert wait_for(process) == 3
    server.close()
    first, second = (tmp_path / "output-3").read_text().splitlines()
    assert first == f"__main__ ['train.py', '3'] {tmp_path.name} {tmp_path} given"
    assert second == f"{forks and fork_server.CAN_FORK} True"


@pytest.mark.parametrize("forks", [True, False])
@pytest.mark.long
def test_what_goes_on_is_ended(
    forks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "CAN_FORK", forks and fork_server.CAN_FORK)
    server = ForkServer(tmp_path)
    waiting = server.start(request(tmp_path, "wait"))
    end = time.monotonic() + 60
    output = tmp_path / "output-wait"
    while time.monotonic() < end and not (output.exists() and output.read_text()):
        waiting.poll()
        time.sleep(0.01)
    waiting.end()
    assert wait_for(waiting) == -9
    server.close()
    assert waiting.pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(waiting.pid, 0)


def test_a_server_that_is_closed_before_it_is_ready_leaves_nothing(tmp_path: Path) -> None:
    server = ForkServer(tmp_path)
    process = server.start(request(tmp_path, "wait"))
    server.close()
    if fork_server.CAN_FORK:
        assert process.returncode is not None
    process.end()
