"""Ctrl-C and SIGTERM: the step under way is finished, the state is saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class InterruptFlag(Protocol):
    """Is set when a training is asked to end, as `Progress` is."""

    interrupted: bool


@contextmanager
def interruptible(*flags: InterruptFlag) -> Iterator[None]:
    """Ctrl-C, or a request to terminate (SIGTERM), lets the step under way finish and ends the
    training, or several; a second one stops at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return

    def note(number: int, frame: FrameType | None) -> None:
        if any(flag.interrupted for flag in flags):
            raise KeyboardInterrupt
        for flag in flags:
            flag.interrupted = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
