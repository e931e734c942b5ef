"""`book=True`: the steps that fastbook prints, from Python."""

from __future__ import annotations

import pytest

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.explain.why.published import BOOK_RECIPES


def test_steps_that_are_left_out_are_those_of_the_book() -> None:
    run = ss.train("speed", book=True, stop="epochs(2)", out=False)
    assert (run.summary["epochs"], repr(run.recipe.predict)) == (2, "polynomial()")
    assert repr(run.recipe.step) == "sgd(lr=1e-05)"
    recipes = ss.grid("speed", book=True, step=["sgd(lr=1e-5)", "sgd(lr=2e-5)"])
    assert [repr(recipe.repeat) for recipe in recipes] == ["full_batch()"] * 2
    assert set(BOOK_RECIPES) == {"speed", "mnist37"}


def test_other_data_are_refused_in_one_line() -> None:
    with pytest.raises(ArgumentError, match=r"^book=True is for 'speed' and 'mnist37', whose"):
        ss.train("digits", book=True)


def test_the_rate_is_searched_for_with_the_steps_of_the_book() -> None:
    rates = ss.find_learning_rate("speed", book=True)
    assert repr(rates.recipe.predict) == "polynomial()"
    assert rates.steps == 10
