"""Attributes of PyTorch's classes that say when they are looked up, and stay what they were.

A wrapper around a function stands in every traceback, and is another function than the one that
others compare it with. Here the lookup is noted, and gives the function itself: a call leaves no
trace of us.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

# of an instance whose attribute is looked up; may return what is to be called instead
Note = Callable[[Any], Callable[..., Any] | None]


class NotedAttribute:
    """A function of a class; `note(instance)` is called whenever an instance looks it up."""

    def __init__(self, function: Any, note: Note) -> None:
        self.function, self.note = function, note

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self.function
        return self.note(instance) or self.function.__get__(instance, owner)


class NotedFunction:
    """A function of a module; `note(self)` is called whenever it is called, before it is, and may
    return what is to be called instead.
    """

    def __init__(self, function: Any, note: Note) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.note = note

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else self.function.__get__(instance, owner)

    @property
    def __call__(self) -> Any:
        return self.note(self) or self.function


class Attributes:
    """Attributes that are replaced for a while: `note` and `replace` put them, `restore` takes them
    away.

    `afterwards` is called when something was noted; what goes wrong goes to `failed`. A note that
    is taken while another is at work is none: what we do ourselves is not the script's. Of other
    threads than the one that this is made in, only the first is noted; after `stay()`, only the one
    that called it.
    """

    def __init__(
        self, failed: Callable[[Exception], None], afterwards: Callable[[], None] = lambda: None
    ) -> None:
        self.failed, self.afterwards = failed, afterwards
        self._at_work = threading.Lock()
        self._threads = [threading.get_ident()]  # that are noted
        self._settled = False
        # (owner, name) -> (whether the owner had it itself, what it was, what it is now)
        self._replaced: dict[tuple[Any, str], tuple[bool, Any, Any]] = {}

    def note(self, owner: type, name: str, note: Note) -> None:
        """Have `note` told of each lookup of the function `name` on an instance of `owner`."""
        function = getattr(owner, name)
        self.replace(owner, name, NotedAttribute(function, self.guarded(note)))

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute of a class or a module, until `restore`."""
        key = (owner, name)
        if key in self._replaced:
            return
        own = name in vars(owner)
        self._replaced[key] = (own, vars(owner).get(name), value)
        setattr(owner, name, value)

    def restore(self, owner: Any, name: str) -> None:
        """Put back what was there, unless somebody else has replaced it since."""
        own, before, value = self._replaced.pop((owner, name), (False, None, None))
        if value is None or vars(owner).get(name) is not value:
            return
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)

    def restore_all(self) -> None:
        """Put everything back."""
        for owner, name in list(self._replaced):
            self.restore(owner, name)

    def stay(self) -> None:
        """Note nothing from now on but what this thread does."""
        self._threads, self._settled = [threading.get_ident()], True

    def _is_noted(self) -> bool:
        """Whether this thread is."""
        here = threading.get_ident()
        if here not in self._threads and len(self._threads) == 1 and not self._settled:
            self._threads.append(here)
        return here in self._threads

    def guarded(self, note: Callable[..., Any]) -> Callable[..., Any]:
        """`note` as PyTorch and scripts may meet it: never from within itself, never raising."""

        def guarded_note(*arguments: Any) -> Any:
            if not self._is_noted() or not self._at_work.acquire(blocking=False):
                return None
            try:
                result = note(*arguments)
                self.afterwards()
                return result
            except Exception as failure:
                self.failed(failure)
                return None
            finally:
                self._at_work.release()

        return guarded_note
