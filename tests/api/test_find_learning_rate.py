"""`find_learning_rate` takes what `train` takes, and answers with a recipe to train."""

from __future__ import annotations

import pytest
import torch

import sevensteps as ss
from sevensteps.errors import ArgumentError, Error


def test_a_recipe_and_its_keywords_are_searched_alike() -> None:
    reports: list[str] = []
    by_name = ss.find_learning_rate(
        "speed", predict="linear()", stop="epochs(5)", seed=3, threads=1, report=reports.append
    )
    recipe = ss.Recipe("speed", predict=ss.linear(), stop=ss.epochs(5), seed=3, threads=1)
    by_recipe = ss.find_learning_rate(recipe)
    assert by_name.recipe == by_recipe.recipe
    assert by_name.rates == by_recipe.rates
    assert reports
    assert by_name.recipe.seed == 3
    run = ss.train(by_name.recipe, out=False)
    assert run.recipe.step == by_name.recipe.step


def test_nothing_is_written_and_no_random_number_is_drawn(here: object) -> None:
    before = torch.get_rng_state()
    ss.find_learning_rate("speed", predict="linear()", stop="epochs(2)", threads=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert list(here.iterdir()) == []  # type: ignore[attr-defined]


def test_what_train_refuses_is_refused() -> None:
    with pytest.raises(ArgumentError, match="stpo"):
        ss.find_learning_rate("speed", stpo="epochs(1)")
    with pytest.raises(Error, match="nowhere"):
        ss.find_learning_rate("nowhere")
    with pytest.raises(ArgumentError, match="threads"):
        ss.find_learning_rate("speed", threads=0)
