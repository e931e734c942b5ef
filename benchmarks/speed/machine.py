"""The machine: what it is, and the surroundings in which every contestant computes."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

THREADS = 2


def environment(threads: int = THREADS) -> dict[str, str]:
    """Variables for a contestant's process: as many threads for every library, and the CPU for all.

    OpenMP, MKL and OpenBLAS carry PyTorch, NumPy and scikit-learn; XLA takes the size of JAX's thread pools from NPROC.
    """
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NPROC", "PJRT_NPROC")
    return {**dict.fromkeys(limits, str(threads)), "KERAS_BACKEND": "torch", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}


def processors(threads: int = THREADS) -> list[str]:
    """What to put before a command to give it `threads` processors: XLA makes a thread for each that it may use."""
    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))]


def describe(threads: int = THREADS) -> str:
    """The processor, its cores, system and Python, in one line."""
    return (f"{processor()}, {os.cpu_count()} cores of which {threads} threads are used, {platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}")


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, with family and model where Linux tells them: virtual machines often shorten the name."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = facts.get("model name") or platform.processor() or "unknown processor"
    return f"{name} (family {facts['cpu family']}, model {facts['model']})" if {"cpu family", "model"} <= facts.keys() else name


def busy() -> float | None:
    """How many processes wanted a core in the last minute, on average; None where the system does not say."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
