"""How many processors this process may use, and how many are busy with something else.

Linux says all of it in files; what cannot be read limits nothing. `root` is where these files lie.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

ROOT = Path("/")
SYSTEM = "sys/devices/system/cpu"
# a process that keeps a processor busy is seen in every sample; one that only comes by, in few
SAMPLES, APART = 6, 0.004


def usable_processors(root: Path = ROOT) -> int:
    """The processors that this process may use, at least 1: those of its affinity, and no more
    whole ones than a quota of its control groups allows.
    """
    return max(1, min(len(_affinity()), int(cpu_quota(root))))


def usable_cores(root: Path = ROOT) -> int:
    """`usable_processors`, with hyper-threads of one core counted once: two that multiply matrices
    wait for the same arithmetic units.
    """
    cores = {
        _read(root / SYSTEM / f"cpu{processor}/topology/thread_siblings_list") or str(processor)
        for processor in _affinity()
    }
    return min(usable_processors(root), len(cores))


def cpu_quota(root: Path = ROOT) -> float:
    """How many processors' time the control groups of this process allow it, in versions 1 and 2:
    the smallest limit of its group and of the groups around it. 1e9 where there is none.
    """
    return min(_quotas(root), default=1e9)


def busy_processors(root: Path = ROOT, samples: int = SAMPLES) -> int:
    """How many processors are kept busy by others just now: the least of some samples of how many
    threads want to run, without this one. It takes 20 ms, and less where nothing else runs.

    The least, because threads of this process may still be spinning after their last work.
    """
    least = len(_affinity())
    for sample in range(samples):
        if sample:
            time.sleep(APART)
        running = _running(root)
        if running is None:
            return 0
        least = min(least, max(0, running - 1))
        if least == 0:
            return 0
    return least


def others_wait(root: Path = ROOT) -> bool:
    """Whether threads of other processes want more processors than this process leaves free, in
    each of a few samples within some milliseconds. Not known outside Linux: False.
    """
    for sample in range(SAMPLES // 2):
        if sample:
            time.sleep(APART)
        running = _running(root)
        own = sum(
            # "11206 (python) R 1 …": the name may hold anything, brackets too
            _read(task / "stat").rpartition(")")[2].split()[:1] == ["R"]
            for task in (root / "proc/self/task").glob("*")
        )
        if running is None or running <= max(own, len(_affinity())):
            return False
    return True


def _running(root: Path) -> int | None:
    """How many threads of the machine run or wait for a processor."""
    # "0.20 0.18 0.12 3/80 11206": of 80 threads 3
    fields = _read(root / "proc/loadavg").split()
    running = fields[3].partition("/")[0] if len(fields) > 3 else ""
    return int(running) if running.isdecimal() else None


def _affinity() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _quotas(root: Path) -> Iterator[float]:
    for line in _read(root / "proc/self/cgroup").splitlines():
        # "0::/user.slice" in version 2, "4:cpu,cpuacct:/docker/…" in version 1
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        mounts = [controllers, "cpu"] if controllers else ["", "unified"]
        # a container often sees its own group as the root of all: the path then leads nowhere, and
        # the file of the root counts
        inside = PurePosixPath(path.lstrip("/"))
        for mount in mounts:
            for group in (inside, *inside.parents):
                folder = root / "sys/fs/cgroup" / mount / group
                yield from (
                    _quota(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))
                    if controllers
                    else _quota(*[*_read(folder / "cpu.max").split(), "", ""][:2])
                )


def _quota(time_allowed: str, period: str) -> Iterator[float]:
    """The processors' time that a period allows, where there is a limit: "max" and -1 are none."""
    if time_allowed.isdecimal() and period.isdecimal() and int(period):
        yield int(time_allowed) / int(period)


def _read(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace").strip()
    return ""
