"""`find_learning_rate()`: search for the learning rate of a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sevensteps.api.book import with_book
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
    book: bool = False,
    **steps: Any,
) -> Rates:
    """Find a good learning rate for a training: 32 rates train from the same start over the same
    batches.

    The arguments are those of `train`. The rate that it suggests has been trained with: for all
    the steps of the recipe, or, where that would take minutes, for fewer (`rates.steps` is then
    below `rates.full`). `rates.recipe` is the recipe with that rate; where the step has a schedule,
    it is the schedule's `lr`. `report(text)` is called before each part of the search. A training
    afterwards has the same bits as without the search. Raises `sevensteps.Error` for what `train`
    refuses, where the step has no rate, where every rate diverges, or where none lowers the loss.

    >>> rates = find_learning_rate("speed", predict="linear()", stop="epochs(20)")
    >>> len(rates.rates), rates.loss <= 1.05 * min(rate.train for rate in rates.rates)
    (32, True)
    """
    if book:
        steps = with_book(data, steps)
    recipe = as_recipe(
        data, {**steps, "seed": seed, "device": device, "threads": threads, "precision": precision}
    )
    return search(recipe, data_dir, report or (lambda text: None))
