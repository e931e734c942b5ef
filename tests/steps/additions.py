"""A step's file as it would be with one more value, for the tests of how short an addition is."""

from __future__ import annotations

import inspect
import pkgutil
from typing import Any

import pytest

from sevensteps import steps
from sevensteps.notation import offered


def add(monkeypatch: pytest.MonkeyPatch, step: str, cls: type) -> None:
    """Let `steps/<step>.py` hold `cls` too: its source at the end, its name in `__all__`."""
    module = steps.module_of(step)
    source = inspect.getsource(module)
    before, bracket, after = source.partition("__all__ = [")
    assert bracket
    changed = f'{before}{bracket}"{cls.__name__}", {after}\n\n{inspect.getsource(cls)}'
    read = pkgutil.get_data

    def get_data(package: str, file: str) -> bytes | None:
        if (package, file) == (steps.__name__, f"{step}.py"):
            return changed.encode()
        return read(package, file)

    monkeypatch.setattr(pkgutil, "get_data", get_data)
    monkeypatch.setattr(steps, "offered", inspect.unwrap(offered))  # without its cache
    monkeypatch.setattr(module, cls.__name__, cls, raising=False)
    monkeypatch.setattr(module, "__all__", [cls.__name__, *module.__all__])


def lines(*parts: Any) -> int:
    """How many lines these classes and functions have."""
    return sum(len(inspect.getsource(part).splitlines()) for part in parts)
