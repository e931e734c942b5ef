"""One process that has imported PyTorch forks for each run of a script: only it waits for imports.

It has one thread and calls nothing that computes, so that a process that forks off has no threads
of OpenMP to miss. Where Python cannot fork, each run is a Python of its own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sevensteps.doctor.trials.script.run_script import command, run_to_the_end
from sevensteps.observe.script.launch import PACKAGE

CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"  # whose frameworks mind a fork
POLL = 0.02  # seconds between two looks at the processes
OWN = (  # imported before the first run
    "torch",
    "torch.utils.data",
    "sevensteps.doctor.trials.script.calls",
    "sevensteps.doctor.trials.script.child",
    "sevensteps.doctor.trials.script.notation",
    "sevensteps.doctor.trials.script.recorder",
    "sevensteps.doctor.trials.script.samples_file",
    "sevensteps.observe.script.hooks",
)
# libraries that are slow to import, and start nothing when they are
SLOW = ("numpy", "scipy", "pandas", "sklearn", "torchvision")


def slow_imports() -> list[str]:
    """The modules of slow libraries that this process has imported."""
    return sorted(name for name in sys.modules if name.partition(".")[0] in SLOW)


class RunningScript:
    """One run of a script, a process and all that it starts."""

    pid: int | None = None
    returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        raise NotImplementedError

    def end(self) -> None:
        """End it, and all that it has started."""
        raise NotImplementedError


class Forked(RunningScript):
    """One that a server has forked."""

    def __init__(self, server: ForkServer) -> None:
        self.server = server
        self.ended = False  # by us

    def poll(self) -> int | None:
        self.server.read()
        return self.returncode

    def end(self) -> None:
        self.ended = True
        if self.pid is not None:
            _kill_group(self.pid)


class Started(RunningScript):
    """A Python of its own."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        module = run_to_the_end.__module__
        with open(request["output"], "wb") as output:
            self.process = subprocess.Popen(
                command(PACKAGE, module, "run_alone", json.dumps(request)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us, who end it then
            )
        self.pid = self.process.pid

    def poll(self) -> int | None:
        self.returncode = self.process.poll()
        return self.returncode

    def end(self) -> None:
        _kill_group(self.process.pid)
        self.returncode = self.process.wait()


class ForkServer:
    """Starts runs of scripts. `folder` is for what it prints, `imports` names modules that all of
    them import, as far as they can be imported.
    """

    def __init__(self, folder: Path, imports: Sequence[str] = ()) -> None:
        self._processes: list[Forked] = []
        self._unread = b""
        self._ready = False
        self._process: subprocess.Popen[bytes] | None = None
        if not CAN_FORK:
            return
        with open(folder / "server", "wb") as output:
            self._process = subprocess.Popen(
                command(PACKAGE, __name__, "serve", json.dumps(list(imports))),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    def start(self, request: Mapping[str, Any]) -> RunningScript:
        """Start a run of `request`, with what `run_request` takes and an "output" to print into."""
        if self._process is None:
            return Started(request)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `read` sees that it has ended
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        self._processes.append(Forked(self))
        return self._processes[-1]

    def read(self) -> None:
        """Take in what has become of the runs."""
        if self._process is None:
            return
        assert self._process.stdout is not None
        over = self._process.poll() is not None
        self._unread += self._process.stdout.read() or b""
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._take_in(*json.loads(line))
        if over:
            for process in self._processes:
                process.returncode = 1 if process.returncode is None else process.returncode

    def _take_in(self, what: str, number: int, value: int) -> None:
        if what == "ready":
            self._ready = True
        elif what == "ended":
            self._processes[number].returncode = value
        else:
            self._processes[number].pid = value
            if self._processes[number].ended:
                _kill_group(value)

    def close(self) -> None:
        """End the server, and all runs."""
        if self._process is None:
            return
        self.read()
        if not self._ready:  # it has started nothing
            self._process.kill()
        for process in self._processes:
            process.end()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self.read()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:  # on Windows this ends the process itself, at once
            os.kill(pid, signal.SIGTERM)


# -- in the process of the server ------------------------------------------------------------------


def serve(imports: str) -> None:
    """Fork for each request that comes in, until no more can come; in a process that has forked
    off, run the script.
    """
    sys.dont_write_bytecode = True
    requests, answers = os.dup(0), os.dup(1)
    _replace_by_file(os.devnull, os.O_RDONLY, 0)
    os.dup2(2, 1)
    for name in (*OWN, *json.loads(imports)):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        _make_optimizer()
    gc.freeze()  # what is collected is written to, and memory shared no longer
    request = _Server(requests, answers).next_request()
    if request is not None:
        run_to_the_end(request)


def _make_optimizer() -> None:
    """The first optimizer that is made imports as much again as PyTorch itself."""
    import torch

    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


class _Server:
    """Reads requests from one file and writes answers into another, both by their numbers."""

    def __init__(self, requests: int, answers: int) -> None:
        self.requests, self.answers = requests, answers
        self._numbers: dict[int, int] = {}  # by process id
        self._count = 0

    def next_request(self) -> dict[str, Any] | None:
        """What this process is to run, once it has forked off; None in the server, at the end."""
        self._answer("ready", 0, 0)
        unread = b""
        while True:
            self._reap()
            if not select.select([self.requests], [], [], POLL if self._numbers else None)[0]:
                continue
            part = os.read(self.requests, 1 << 16)
            if not part:
                for pid in self._numbers:
                    _kill_group(pid)
                return None
            *lines, unread = (unread + part).split(b"\n")
            for line in lines:
                request: dict[str, Any] = json.loads(line)
                if self._forks(request["output"]):
                    return request

    def _answer(self, what: str, number: int, value: int) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self.answers, json.dumps([what, number, value]).encode() + b"\n")

    def _reap(self) -> None:
        """Tell of the processes that have ended."""
        for pid in list(self._numbers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                self._answer("ended", self._numbers.pop(pid), code)

    def _forks(self, output: str) -> bool:
        """Fork; whether this is the new process."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads, as of a library that has its own
            pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):  # it may have been quicker
                os.setpgid(pid, pid)
            self._numbers[pid] = self._count
            self._answer("started", self._count, pid)
            self._count += 1
            return False
        os.setpgid(0, 0)  # to be ended with all that it starts
        os.close(self.requests)
        os.close(self.answers)
        _replace_by_file(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 1)
        os.dup2(1, 2)
        return True


def _replace_by_file(path: str, flags: int, number: int) -> None:
    """Have the open file with this number be that at `path`."""
    file = os.open(path, flags, 0o600)
    os.dup2(file, number)
    os.close(file)
