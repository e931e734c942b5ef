"""`run.export(path)`: the kind of file follows from its ending."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.api.export import card
from sevensteps.errors import ArgumentError


@pytest.fixture
def run() -> ss.Run:
    return ss.train("iris", predict="linear()", stop="epochs(3)", out=False)


def test_a_card_and_a_history(run: ss.Run, tmp_path: Path) -> None:
    exported = run.export(tmp_path / "card.md")
    assert (tmp_path / "card.md").read_text("utf-8") == card(run) == run.card()
    assert exported.about == "a model card: data, results, findings, limits, recipe"
    assert run.export(str(tmp_path / "h.csv")).about == "the history: 3 evaluations"
    with (tmp_path / "h.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["valid_loss"]) for row in rows] == [
        row["valid"]["loss"] for row in run.history
    ]


def test_other_endings_are_refused(run: ss.Run, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"no export of kind '\.pt'; give a file that ends in"):
        run.export(tmp_path / "a.pt")
    with pytest.raises(ArgumentError, match="which has no option"):
        run.export(tmp_path / "a.md", which="first")  # type: ignore[arg-type]
