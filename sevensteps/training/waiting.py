"""Threads of PyTorch that sleep while they wait for each other, as long as others want their
processors.

GNU's OpenMP, with which PyTorch computes on Linux, lets a thread that waits look again and again
for milliseconds, which is the fastest on a machine of one's own. Beside another process it keeps a
processor that the thread it waits for would need: 784-30-10 beside such a training was measured to
take up to a hundred times as long. OpenMP sleeps after a few microseconds where it has more threads
than processors; so as many are made, which do nothing, and ended when nobody else waits any more.
What is computed stays the same, to the last bit.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from sevensteps.training.processors import others_wait

SECONDS = 0.2  # between two looks at the machine
NUMBERS = 2**18  # enough for PyTorch to share an operation among its threads


@contextmanager
def considerate(threads: int, busy: Callable[[], bool] = others_wait) -> Iterator[None]:
    """While the block runs, PyTorch's `threads` wait asleep whenever `busy()`."""
    set_by_user = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ)
    if threads == 1 or set_by_user or not sys.platform.startswith("linux"):
        yield
        return
    ended = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(threads, busy, ended), name="sevensteps-waiting", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(threads: int, busy: Callable[[], bool], ended: threading.Event) -> None:
    idle: list[threading.Thread] = []
    enough = threading.Event()
    while not ended.is_set():
        wanted = busy()
        if wanted and not idle:
            enough = threading.Event()
            idle = [
                threading.Thread(target=_idle_pool, args=(enough,), daemon=True)
                for _ in range((os.cpu_count() or 1) // threads + 1)
            ]
            for thread in idle:
                thread.start()
        elif idle and not wanted:
            enough.set()
            for thread in idle:
                thread.join()
            idle = []
        ended.wait(SECONDS)
    enough.set()
    for thread in idle:
        thread.join()


def _idle_pool(enough: threading.Event) -> None:
    """Have threads of OpenMP for this thread alone, which end with it."""
    torch.ones(NUMBERS).exp_()
    enough.wait()
