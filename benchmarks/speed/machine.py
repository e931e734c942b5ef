"""The machine: what it is, and the fresh process, alike for everyone, in which each measurement is
made.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
AVAILABLE = (
    sorted(os.sched_getaffinity(0))
    if hasattr(os, "sched_getaffinity")
    else list(range(os.cpu_count() or 1))
)
THREADS = min(2, len(AVAILABLE))  # two threads on one processor would wait for each other
LIMIT = 900  # seconds for one process, far above the slowest
# OpenMP, MKL and OpenBLAS carry PyTorch, NumPy and scikit-learn; XLA takes the size of JAX's thread
# pools from NPROC
LIMITS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NPROC",
    "PJRT_NPROC",
)


def mnist_folder(folder: Path | None) -> Path | None:
    """Where MNIST lies: as asked, else as sevensteps looks for it; beside the repository where
    nothing was said.
    """
    return (
        SHARED
        if folder is None and not os.environ.get("SEVENSTEPS_DATA") and SHARED.is_dir()
        else folder
    )


@cache
def cache_folder() -> tempfile.TemporaryDirectory[str]:
    """The user's cache during this run: what sevensteps compiles is compiled anew, once for all
    processes.
    """
    return tempfile.TemporaryDirectory(prefix="sevensteps-bench-cache-")


def fresh(
    module: str, *arguments: str, limit: float = LIMIT, threads: int | None = THREADS
) -> dict[str, Any]:
    """What `python -m module arguments` prints as its last line, which is JSON; or {"failure":
    why}. `threads` None leaves to each library how many it takes, and of all processors.
    """
    command = [*processors(threads), sys.executable, "-m", module, *arguments]
    # bytecode is written and read as for any user: compiling sources anew takes tenths of a second
    dropped = (*LIMITS, "PYTHONDONTWRITEBYTECODE")
    inherited = {name: value for name, value in os.environ.items() if name not in dropped}
    surroundings = inherited | environment(threads) | {"XDG_CACHE_HOME": cache_folder().name}
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"still at work after {limit:g} s"}
    if ended.returncode:
        return {
            "failure": (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[
                -1
            ]
        }
    # libraries may print before it
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def environment(threads: int | None = THREADS) -> dict[str, str]:
    """Variables for such a process: as many threads for every library unless None, and the CPU for
    all.
    """
    return {
        **({} if threads is None else dict.fromkeys(LIMITS, str(threads))),
        "KERAS_BACKEND": "torch",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }


def processors(threads: int | None = THREADS) -> list[str]:
    """What to put before a command to give it `threads` processors: XLA makes a thread for each
    that it may use. Nothing for None.
    """
    if threads is None:
        return []
    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", ",".join(map(str, AVAILABLE[:threads]))]


def identity(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """What decides how fast a training is, and so which section of the report its figures belong
    to: the processor, how many cores this process may use, and PyTorch's version.
    """
    from sevensteps.training.processors import usable_cores

    return {
        "processor": processor(cpuinfo),
        "cores": usable_cores(),
        "torch": version("torch").partition("+")[0],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def describe(threads: int = THREADS) -> str:
    """The processor, its cores, system and Python, in one line."""
    return (
        f"{processor()}, {os.cpu_count()} cores of which {threads} threads are used, "
        f"{platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, with family and model where Linux tells them: virtual machines often
    shorten the name.
    """
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    facts = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    name = facts.get("model name") or platform.processor() or "unknown processor"
    return (
        f"{name} (family {facts['cpu family']}, model {facts['model']})"
        if {"cpu family", "model"} <= facts.keys()
        else name
    )


def busy() -> float | None:
    """How many processes wanted a core in the last minute, on average; None where the system does
    not say.
    """
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
