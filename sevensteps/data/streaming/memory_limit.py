"""How much memory samples may take, and whether they fit in it."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

from sevensteps.arguments import number

# float32 copies of all samples that loading them takes for a moment: raw, split, as float64, scaled
COPIES = 5
UNKNOWN = 4 << 30  # bytes, where the system does not say


def bytes_allowed(memory: float | None) -> int:
    """Bytes that samples may take: `memory` megabytes, or without it three quarters of what the
    process can still get.
    """
    return (
        available_memory() * 3 // 4
        if memory is None
        else int(number("memory", memory, above=0) * 1_000_000)
    )


def fits_in_memory(shape: tuple[int, ...], limit: int) -> bool:
    """Whether samples of this shape can be loaded into `limit` bytes."""
    return 4 * math.prod(shape) * COPIES <= limit


def available_memory() -> int:
    """Bytes of memory that this process can still get: of the machine, of its control group, and by
    its own limits.
    """
    limits = (
        [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
        if hasattr(os, "sysconf")
        else [UNKNOWN]
    )
    with suppress(OSError, StopIteration, ValueError):
        limits.append(1024 * _field(Path("/proc/meminfo"), "MemAvailable:"))
    with suppress(OSError, StopIteration, ValueError):
        control_group = next(
            line
            for line in Path("/proc/self/cgroup").read_text().splitlines()
            if line.startswith("0::")
        )
        folder = Path("/sys/fs/cgroup") / control_group[3:].lstrip("/")
        folder = folder if (folder / "memory.max").is_file() else Path("/sys/fs/cgroup")
        # the cache of files is given up when memory is asked for
        file_cache = _field(folder / "memory.stat", "inactive_file")
        limits.append(
            int((folder / "memory.max").read_text())
            - int((folder / "memory.current").read_text())
            + file_cache
        )
    with suppress(ImportError, OSError, ValueError):
        import resource

        pages = [
            int(count) * os.sysconf("SC_PAGE_SIZE")
            for count in Path("/proc/self/statm").read_text().split()
        ]
        for limit, used in ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5])):
            if (most := resource.getrlimit(limit)[0]) != resource.RLIM_INFINITY:
                limits.append(most - used)
    return max(0, min(limits))


def page_faults() -> int:
    """How often this process has had to wait for a page of a file to come from the disk; 0 where
    the system does not say.
    """
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


def _field(path: Path, name: str) -> int:
    """The number after `name` in a file of the kernel that has one entry a line."""
    lines = path.read_text().splitlines()
    return int(next(line for line in lines if line.split()[:1] == [name]).split()[1])
