"""Ctrl-C and SIGTERM: the step under way is finished, the state is saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Protocol

WITHOUT_STEP: ContextVar[bool] = ContextVar("WITHOUT_STEP", default=False)


class BrokenOff(KeyboardInterrupt):
    """What was under way changes nothing, and need not be finished."""


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
        # machine code that calls back cannot pass an exception on
        if WITHOUT_STEP.get() and not (frame and "llvmlite" in frame.f_code.co_filename):
            raise BrokenOff

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def without_step() -> Iterator[None]:
    """Around what takes its time and changes nothing, such as compiling: Ctrl-C breaks it off, and
    the training is then seen to be asked to end; SIGTERM ends the process, as the state on disk is
    that of the last step.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    token, before = WITHOUT_STEP.set(True), signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    except BrokenOff:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        WITHOUT_STEP.reset(token)
