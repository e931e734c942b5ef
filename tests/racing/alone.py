"""Small data, and the same recipe trained alone: what every member of a race is held against."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

import sevensteps as ss
from sevensteps.data import Data
from sevensteps.racing.grouping import LockstepPlan, resolve_all
from sevensteps.racing.run_race import RaceState, prepare_race, run_race
from sevensteps.training import loop, state, threads
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from sevensteps.training.state import Training


def three_classes(count: int = 50) -> Data:
    """Points of three classes in space, the first third to judge by; the last batch of 16 is
    smaller.
    """
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(count * 3 // 2, 4, generator=draw)
    y = (x[:, :3] + 0.3 * torch.randn(len(x), 3, generator=draw)).argmax(1)
    return ss.data.from_arrays(
        x[count // 2 :], y[count // 2 :], valid=(x[: count // 2], y[: count // 2]), name="three"
    )


DATA = three_classes()
PLAIN: dict[str, Any] = {
    "predict": "mlp(5, activation='tanh')",
    "step": "sgd(lr=0.3)",
    "repeat": "batches(16)",
    "stop": "epochs(3)",
    "precision": "float64",
    "threads": 1,
}


def recipe(data: str | Data = DATA, **values: Any) -> Recipe:
    return Recipe(data, **{**PLAIN, **values})


def alone(recipe: Recipe, observers: tuple[Observer, ...] = ()) -> tuple[Training, tuple[str, str]]:
    """The recipe trained by the loop, and what ended it."""
    resolved = resolve(recipe)
    count = threads.with_threads(resolved).recipe.threads or 1
    with threads.threads(count):
        training = state.start(replace(resolved, recipe=replace(resolved.recipe, threads=count)))
        return training, loop.train(training, observers)


def raced(recipes: list[Recipe], parted: list[LockstepPlan] | None = None) -> RaceState:
    """The recipes trained in one race."""
    racing = prepare_race(resolve_all(recipes), parted)
    run_race(racing)
    return racing
