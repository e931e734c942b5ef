"""PyTorch's own warnings during a training, kept beside what the user sees of them.

Only what is shown is kept: what a filter hides, or turns into an exception, does not come here.
Nothing that the user may set or read changes, neither filters nor `showwarning` nor
`catch_warnings`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sevensteps.observe.function_mode import TORCH

MAX_WARNINGS = 50  # different ones that are kept
MAX_TEXT = 500  # characters of one
TRIGGERED = "(Triggered internally at"  # what the warnings of PyTorch's own C++ end in
# functions that are told of each warning that is about to be shown
_listeners: list[Callable[[warnings.WarningMessage, bool], None]] = []


@dataclass
class TrainingWarning:
    """A warning of PyTorch: its text, category and place, the step it came in first, how often."""

    text: str
    category: str
    where: str
    step: int
    count: int = 1


class WarningRecorder:
    """Keeps PyTorch's warnings from `start()` to `stop()`; `step()` is the present step."""

    def __init__(self, into: list[TrainingWarning], step: Callable[[], int]) -> None:
        self.warnings, self.step = into, step

    def start(self) -> None:
        """Listen to the warnings that are shown."""
        if self._listen not in _listeners:
            _listeners.append(self._listen)
        show = warnings._showwarnmsg  # type: ignore[attr-defined]
        if not getattr(show, "listens", False):
            warnings._showwarnmsg = _listening(show)  # type: ignore[attr-defined]

    def stop(self) -> None:
        """Listen no more."""
        if self._listen in _listeners:
            _listeners.remove(self._listen)
        show = warnings._showwarnmsg  # type: ignore[attr-defined]
        if not _listeners and getattr(show, "listens", False):
            warnings._showwarnmsg = show.before  # type: ignore[attr-defined]

    def _listen(self, message: warnings.WarningMessage, from_torch: bool) -> None:
        text = str(message.message)
        if not (from_torch or TRIGGERED in text):
            return
        text = text.partition(TRIGGERED)[0].strip()[:MAX_TEXT]
        category = message.category.__name__
        where = f"{os.path.basename(message.filename)}:{message.lineno}"
        for warning in self.warnings:
            if (warning.text, warning.category, warning.where) == (text, category, where):
                warning.count += 1
                return
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(TrainingWarning(text, category, where, self.step()))


def _listening(show: Callable[[Any], None]) -> Callable[[Any], None]:
    """`show`, Python's own way to show a warning, after the listeners were told."""

    def listen_and_show(message: Any) -> None:
        try:
            caller = sys._getframe(1)
            from_torch = caller.f_code.co_filename.startswith(TORCH)
            for listener in tuple(_listeners):
                listener(message, from_torch)
        except Exception:  # the warning is shown whatever happens here
            pass
        show(message)

    listen_and_show.listens = True  # type: ignore[attr-defined]
    listen_and_show.before = show  # type: ignore[attr-defined]
    return listen_and_show
