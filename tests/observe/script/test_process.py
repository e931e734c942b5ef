"""A process of a watched script: PyTorch is imported when the script imports it, and tracebacks are
its own.
"""

from __future__ import annotations

import importlib.machinery
import os
import signal
import subprocess
import sys
import traceback
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from sevensteps.observe.script.launch import PACKAGE
from sevensteps.observe.script.process import (
    ImportFinder,
    ScriptProcess,
    uncaught_exception,
    without_own_frames,
)


class Loader:
    def __init__(self, calls: list[str]) -> None:
        self.calls = calls

    def exec_module(self, module: ModuleType) -> None:
        self.calls.append("ran")


def test_the_finder_calls_once_when_torch_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    finder, loader = ImportFinder(lambda: calls.append("imported"), "torch"), Loader(calls)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert finder.find_spec("numpy") is None
    monkeypatch.setattr(
        importlib.machinery.PathFinder, "find_spec", lambda *_: SimpleNamespace(loader=loader)
    )
    spec = finder.find_spec("torch")
    assert finder not in sys.meta_path
    spec.loader.exec_module(ModuleType("torch"))
    assert calls == ["ran", "imported"]
    assert "exec_module" not in vars(loader)


def test_the_end_comes_once() -> None:
    ends: list[Any] = []
    process = ScriptProcess({"prints": True}, lambda: None, ends.append, lambda: None)
    process.end()
    process.end()
    assert len(ends) == 1


def test_a_failing_diagnosis_is_said_in_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    def ended(failure: BaseException | None) -> None:
        raise ValueError("odd")

    ScriptProcess({"prints": True}, lambda: None, ended, lambda: None).end()
    assert capfd.readouterr().err == "sevensteps: no diagnosis: ValueError: odd\n"


def test_what_ended_the_script_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = ValueError("odd")
    monkeypatch.setattr(sys, "last_value", failure, raising=False)
    assert uncaught_exception() is failure
    monkeypatch.delattr(sys, "last_value")
    assert uncaught_exception() is None


@pytest.mark.draws
def test_a_traceback_is_the_one_without_hooks() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1))

    def failure() -> BaseException:
        with pytest.raises(RuntimeError) as raised:
            net(torch.ones(1, 2))
        return raised.value

    plain, handle = failure(), register_module_forward_hook(lambda *_: None)
    try:
        hooked = failure()
    finally:
        handle.remove()
    lines = traceback.format_tb(plain.__traceback__)
    assert traceback.format_tb(hooked.__traceback__) != lines
    assert traceback.format_tb(without_own_frames(hooked.__traceback__)) == lines
    assert traceback.format_tb(without_own_frames(plain.__traceback__)) == lines


@pytest.mark.draws
def test_the_frame_of_a_modules_own_hooks_stays() -> None:
    net = nn.Linear(2, 3)
    net.register_forward_hook(lambda *_: None)
    with pytest.raises(RuntimeError) as raised:
        net(torch.ones(1, 3))
    trace = raised.value.__traceback__
    assert traceback.format_tb(without_own_frames(trace)) == traceback.format_tb(trace)


def test_an_interrupt_ends_by_its_signal_whatever_ran_since() -> None:
    code = (
        "import atexit\n"
        "from sevensteps.observe.script.process import end_by_interrupt\n"
        "atexit.register(end_by_interrupt)\natexit.register(lambda: exec('1'))\n"
        "raise KeyboardInterrupt"
    )
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGINT
