"""Train a neural network in seven steps you can see.

    import sevensteps as ss
    run = ss.train("digits", predict=ss.mlp(30), step=ss.sgd(lr=0.1))

Names are loaded when they are first used, so that importing this package costs nothing beside
PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sevensteps import data as data
    from sevensteps import integrations as integrations
    from sevensteps import steps as steps
    from sevensteps.api.diagnose import diagnose as diagnose
    from sevensteps.api.find_learning_rate import find_learning_rate as find_learning_rate
    from sevensteps.api.heal import heal as heal
    from sevensteps.api.load import load as load
    from sevensteps.api.prove import prove as prove
    from sevensteps.api.race import grid as grid
    from sevensteps.api.race import race as race
    from sevensteps.api.race_result import Race as Race
    from sevensteps.api.report import read_report as read_report
    from sevensteps.api.resume import resume as resume
    from sevensteps.api.run import Run as Run
    from sevensteps.api.train import train as train
    from sevensteps.api.watch import watch as watch
    from sevensteps.errors import Error as Error
    from sevensteps.integrations.scikit_learn import SevenStepsClassifier as SevenStepsClassifier
    from sevensteps.integrations.scikit_learn import SevenStepsRegressor as SevenStepsRegressor
    from sevensteps.notation import auto as auto
    from sevensteps.training.observer import Observer as Observer
    from sevensteps.training.recipe import Recipe as Recipe
    from sevensteps.view.step_printer import StepPrinter as StepPrinter

__version__ = "0.1.0"

_HOMES = {
    "Error": "errors",
    "Observer": "training.observer",
    "Race": "api.race_result",
    "Recipe": "training.recipe",
    "Run": "api.run",
    "SevenStepsClassifier": "integrations.scikit_learn",
    "SevenStepsRegressor": "integrations.scikit_learn",
    "StepPrinter": "view.step_printer",
    "auto": "notation",
    "diagnose": "api.diagnose",
    "find_learning_rate": "api.find_learning_rate",
    "grid": "api.race",
    "heal": "api.heal",
    "load": "api.load",
    "prove": "api.prove",
    "race": "api.race",
    "read_report": "api.report",
    "resume": "api.resume",
    "train": "api.train",
    "watch": "api.watch",
}
_PACKAGES = ("data", "integrations", "steps")

__all__ = [
    "Error",
    "Observer",
    "Race",
    "Recipe",
    "Run",
    "SevenStepsClassifier",
    "SevenStepsRegressor",
    "StepPrinter",
    "auto",
    "data",
    "diagnose",
    "find_learning_rate",
    "grid",
    "heal",
    "integrations",
    "load",
    "prove",
    "race",
    "read_report",
    "resume",
    "steps",
    "train",
    "watch",
]


def __getattr__(name: str) -> Any:
    """A public name, or a step's value: `ss.mlp`, `ss.sgd`, … (of two steps that share a name, the
    earlier one's).
    """
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
