"""Attributes that say when they are looked up: nothing else about them changes."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable
from typing import Any

from sevensteps.observe.script.attributes import Attributes, NotedFunction


class Plain:
    def double(self, x: int) -> int:
        return 2 * x

    def __call__(self, x: int) -> int:
        raise ValueError(x)


class Derived(Plain):
    pass


def test_a_lookup_is_noted_and_the_function_is_itself() -> None:
    noted: list[Any] = []
    failures: list[Exception] = []
    attributes = Attributes(failures.append)
    function = Plain.double
    attributes.note(Plain, "double", noted.append)
    plain = Plain()
    assert plain.double(4) == 8
    assert noted == [plain]
    assert Plain.double is function
    attributes.restore_all()
    assert vars(Plain)["double"] is function
    assert failures == []


def test_calls_leave_no_trace_in_a_traceback() -> None:
    attributes = Attributes(lambda failure: None)
    noted: list[Any] = []
    attributes.note(Plain, "__call__", noted.append)
    attributes.note(Derived, "__call__", noted.append)
    try:
        Derived()(3)
    except ValueError as failure:
        frames = traceback.extract_tb(failure.__traceback__)
        assert [frame.name for frame in frames] == [
            "test_calls_leave_no_trace_in_a_traceback",
            "__call__",
        ]
    attributes.restore_all()
    assert len(noted) == 1
    assert "__call__" not in vars(Derived)


def test_what_a_note_returns_is_called_instead() -> None:
    attributes = Attributes(lambda failure: None)
    attributes.note(Plain, "double", lambda plain: lambda x: -x)
    assert Plain().double(4) == -4
    attributes.restore_all()
    assert Plain().double(4) == 8


def test_a_failing_note_is_reported_and_the_call_goes_on() -> None:
    failures: list[Exception] = []
    attributes = Attributes(failures.append)
    attributes.note(Plain, "double", lambda plain: 1 // 0)
    assert Plain().double(4) == 8
    assert [type(failure) for failure in failures] == [ZeroDivisionError]
    attributes.restore_all()


def test_notes_within_notes_are_none() -> None:
    noted: list[Any] = []
    attributes = Attributes(lambda failure: None)

    def note(plain: Plain) -> None:
        noted.append(plain.double(1))

    attributes.note(Plain, "double", note)
    assert Plain().double(4) == 8
    assert noted == [2]
    attributes.restore_all()


def run_in_thread(function: Callable[[], Any]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_of_other_threads_the_first_is_noted_and_after_stay_only_one() -> None:
    noted: list[str] = []
    attributes = Attributes(lambda failure: None)
    attributes.note(Plain, "double", lambda plain: noted.append(plain.name))

    def worker() -> None:
        use("worker")
        use("the worker again")
        run_in_thread(lambda: use("another"))
        use_here("here, too")
        attributes.stay()
        use_here("no longer")
        use("the worker only")

    def use(name: str) -> None:
        plain = Plain()
        plain.name = name  # type: ignore[attr-defined]
        assert plain.double(2) == 4

    turns: queue.Queue[str] = queue.Queue()
    done: queue.Queue[None] = queue.Queue()

    def use_here(name: str) -> None:
        turns.put(name)
        done.get(timeout=60)

    thread = threading.Thread(target=lambda: (worker(), turns.put("")))
    thread.start()
    while name := turns.get(timeout=60):
        use(name)
        done.put(None)
    thread.join()
    attributes.restore_all()
    assert noted == ["worker", "the worker again", "here, too", "the worker only"]


def test_what_somebody_else_has_replaced_since_stays() -> None:
    class Changed:
        def value(self) -> int:
            return 1

    attributes = Attributes(lambda failure: None)
    attributes.note(Changed, "value", lambda changed: None)
    Changed.value = lambda self: 2  # type: ignore[method-assign]
    attributes.restore_all()
    assert Changed().value() == 2


def test_a_function_of_a_module_tells_when_it_is_called() -> None:
    calls: list[Any] = []

    def plus(a: int, b: int) -> int:
        """Add."""
        return a + b

    function: Any = NotedFunction(plus, lambda called: calls.append(called))
    assert function(1, b=2) == 3
    assert calls == [function]
    assert (function.__name__, function.__doc__) == ("plus", "Add.")
