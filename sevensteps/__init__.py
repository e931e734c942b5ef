"""Train a neural network in seven steps you can see.

    import sevensteps as ss
    run = ss.train("digits", predict=ss.mlp(30), step=ss.sgd(lr=0.1))

Names are loaded when they are first used, so that importing this package costs nothing beside PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sevensteps import data as data
    from sevensteps import race as race
    from sevensteps import steps as steps
    from sevensteps import watch as watch
    from sevensteps.diagnosing import diagnose as diagnose
    from sevensteps.errors import Error as Error
    from sevensteps.healing import heal as heal
    from sevensteps.notation import auto as auto
    from sevensteps.racing import Race as Race
    from sevensteps.racing import grid as grid
    from sevensteps.rating import find_learning_rate as find_learning_rate
    from sevensteps.recipe import Recipe as Recipe
    from sevensteps.run import Run as Run
    from sevensteps.run import load as load
    from sevensteps.run import resume as resume
    from sevensteps.run import train as train

__version__ = "0.1.0"

_HOMES = {"Error": "errors", "auto": "notation", "Race": "racing", "Recipe": "recipe", "Run": "run", "diagnose": "diagnosing",
          "find_learning_rate": "rating", "grid": "racing", "heal": "healing", "load": "run", "resume": "run", "train": "run"}
_PACKAGES = ("data", "race", "steps", "watch")

__all__ = ["Error", "Race", "Recipe", "Run", "auto", "data", "diagnose", "find_learning_rate", "grid", "heal", "load", "race", "resume",
           "steps", "train", "watch"]


def __getattr__(name: str) -> Any:
    """A public name, or a step's value: `ss.mlp`, `ss.sgd`, … (of two steps that share a name, the earlier one's)."""
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if not name.startswith("_") and (step := _values().get(name)):
        return getattr(importlib.import_module(f"{__name__}.steps.{step}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_values()})


def _values() -> dict[str, str]:
    """The step of each value's name."""
    from sevensteps.steps import STEPS, catalog

    return {entry.name: step for step in reversed(STEPS) for entry in catalog(step)}
