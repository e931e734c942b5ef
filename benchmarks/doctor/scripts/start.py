"""One start of a script in a directory of its own, unwatched or watched."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.doctor.scripts.catalogue import FOLDER, Script

ROOT = FOLDER.parents[2]
SECONDS = 400  # a script takes a few; more than that on a busy machine is one that hangs


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a start left behind."""

    code: int | None  # of the exit; None where it did not end in time
    stdout: bytes
    stderr: str
    files: dict[str, bytes]
    seconds: float  # from start to end
    cpu: float  # of the process and those that it started, in seconds
    report: dict[str, Any] | None = None  # what `sevensteps watch --json` wrote


def start(script: Script, seed: int, watched: bool) -> Outcome:
    """Run `script` with `seed` in one thread."""
    with tempfile.TemporaryDirectory(prefix=f"{script.name}-") as home:
        folder = Path(home) / "run"
        folder.mkdir()
        json_file = Path(home) / "report.json"
        command = script.command(seed, json_file if watched else None)
        own = script.environment(seed)
        environment = os.environ | {"OMP_NUM_THREADS": "1"} | own
        # ours is found from any directory; a script's own PYTHONPATH stays before it
        paths = [own.get("PYTHONPATH", ""), os.environ.get("PYTHONPATH", ""), str(ROOT)]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        outputs = [Path(home) / "stdout", Path(home) / "stderr"]
        began = time.perf_counter()
        with outputs[0].open("wb") as out, outputs[1].open("wb") as err:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
            )
            try:
                code, usage = _wait(process, SECONDS)
            except BaseException:  # the caller's own limit, or Ctrl-C: nothing runs on
                process.kill()
                process.wait()
                raise
        return Outcome(
            code,
            outputs[0].read_bytes(),
            outputs[1].read_text(encoding="utf-8", errors="replace"),
            {
                file.relative_to(folder).as_posix(): file.read_bytes()
                for file in sorted(folder.rglob("*"))
                if file.is_file()
            },
            time.perf_counter() - began,
            usage.ru_utime + usage.ru_stime,
            json.loads(json_file.read_text(encoding="utf-8")) if json_file.exists() else None,
        )


def _wait(process: subprocess.Popen[bytes], seconds: float) -> tuple[int | None, Any]:
    """Its exit code and what it used; it is killed after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage
        if time.monotonic() > until:
            process.kill()
            process.wait()
            return None, resource.getrusage(resource.RUSAGE_SELF)
        time.sleep(0.02)
