"""The search for a learning rate, asked for as a training is: `find_learning_rate()`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sevensteps.lr_finder.rates import Rates
from sevensteps.lr_finder.search import search
from sevensteps.training.recipe import Trained, as_recipe


def find_learning_rate(
    data: Trained,
    *,
    seed: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    precision: str | None = None,
    data_dir: Path | str | None = None,
    report: Callable[[str], None] | None = None,
    **steps: Any,
) -> Rates:
    """Find the learning rate for a training, given as for `train`: 32 rates raced from the same
    start over the same batches.

    It answers only after having trained at its suggestion: for all the steps of the recipe, unless
    that would take minutes, and then `rates.steps` is below `rates.full`. `rates.recipe` is the
    recipe with the suggestion in place; where the step has a schedule, the suggestion is the
    schedule's lr. `report(text)` is told what is being trained. A training afterwards has the same
    bits as without the search. Raises `sevensteps.Error` for what `train` refuses, where there is
    no rate to search for, where every rate diverges, or where none lowers the loss.

    >>> rates = find_learning_rate("speed", predict="linear()", step="sgd(lr=0.1)", stop="epochs(20)")
    >>> len(rates.rates), rates.loss == min(rate.train for rate in rates.rates) or rates.loss <= 1.05 * rates.best.train
    (32, True)
    """
    recipe = as_recipe(
        data, {**steps, "seed": seed, "device": device, "threads": threads, "precision": precision}
    )
    return search(recipe, data_dir, report or (lambda text: None))
