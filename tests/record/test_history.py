"""Metrics on one line, and the history as rows and as a frame."""

from __future__ import annotations

import sys

import pytest

from sevensteps.errors import ArgumentError
from sevensteps.record.history import History, Metrics, flat_row, number

ROWS = [
    {"epoch": 1, "train": {"loss": 0.5}, "valid": {"loss": 0.6, "by_class": {"a": 1.0}}},
    {"epoch": 2, "train": {"loss": 0.4}, "valid": {"loss": None, "by_class": {"a": 0.5}}},
]


def test_metrics_are_one_line_and_still_a_dictionary() -> None:
    metrics = Metrics(loss=0.2, r2=None, by_class={"a": 1.0, "b": 0.25, "c": None})
    assert repr(metrics) == "loss 0.2000, r2 not a number, by class 0.2500 (b) to 1.0000 (a)"
    assert metrics == {"loss": 0.2, "r2": None, "by_class": {"a": 1.0, "b": 0.25, "c": None}}
    assert repr(Metrics(by_class={"a": None})) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0000"), (1e-5, "1e-05"), (0.99999, "1.0000"), (-12.5, "-12.5000"), (12, "12")],
)
def test_numbers_have_sensible_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_rows_are_flat() -> None:
    assert History(ROWS).flat() == [
        {"epoch": 1, "train_loss": 0.5, "valid_loss": 0.6},
        {"epoch": 2, "train_loss": 0.4, "valid_loss": None},
    ]
    assert flat_row({"epoch": 1, "rates": [1, 2]}) == {"epoch": 1}


def test_a_frame_has_a_column_for_each_number() -> None:
    pytest.importorskip("pandas", reason="make test-integrations")
    frame = History(ROWS).frame()
    assert list(frame.columns) == ["epoch", "train_loss", "valid_loss"]
    assert frame["train_loss"].tolist() == [0.5, 0.4]


def test_without_pandas_the_rows_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ArgumentError, match=r"history\.flat\(\) gives the rows without it"):
        History(ROWS).frame()
