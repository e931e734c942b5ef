"""Ctrl-C and SIGTERM: the step under way is finished, the state is saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Asked(Protocol):
    """What notes that a training has been asked to end."""

    interrupted: bool


@contextmanager
def interruptible(*several_asked: Asked) -> Iterator[None]:
    """Ctrl-C, or a request to terminate (SIGTERM), lets the step under way finish and ends the
    training, or several; a second one stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return

    def note(number: int, frame: FrameType | None) -> None:
        if any(asked.interrupted for asked in several_asked):
            raise KeyboardInterrupt
        for asked in several_asked:
            asked.interrupted = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
