"""`ss.race(data, step=[…])`: the race of a grid, without writing the grid."""

from __future__ import annotations

import pytest

import sevensteps as ss
from sevensteps.errors import ArgumentError


def test_values_make_the_grid() -> None:
    values = {"step": ["sgd(lr=0.1)", "sgd(lr=1.0)"], "predict": "linear()", "stop": "epochs(2)"}
    short = ss.race("xor", **values, seeds=2, out=False, diagnose=False)
    whole = ss.race(ss.grid("xor", **values, seeds=2), out=False, diagnose=False)
    assert [run.recipe for run in short.runs] == [run.recipe for run in whole.runs]
    assert [run.metrics for run in short.runs] == [run.metrics for run in whole.runs]


def test_what_does_not_fit_is_one_line() -> None:
    recipes = ss.grid("xor", step=["sgd(lr=0.1)"])
    with pytest.raises(ArgumentError, match=r"^a list of recipes says all .*; leave step= out, or"):
        ss.race(recipes, step=["sgd(lr=1.0)"])
    with pytest.raises(ArgumentError, match=r"not 'digits'; write ss\.race\(data, step=\[…, …\]\)"):
        ss.race("digits")
    with pytest.raises(ArgumentError, match="halv"):
        ss.race("digits", halv=True)
