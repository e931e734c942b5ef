"""`sevensteps data FILE` shows the columns of a table, and the command that trains on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sevensteps.cli.data import command

ROWS = "id,age,born,species\n" + "".join(
    f"{n},{'' if n % 7 == 0 else n % 13},{n % 28 + 1}.2.2001,{'cat' if n % 2 else 'dog'}\n"
    for n in range(1, 61)
)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(
        command, arguments, env={"COLUMNS": "100", "NO_COLOR": "1"}, catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.output


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pets.csv").write_text(ROWS)


def test_without_a_target_the_columns_and_a_suggestion() -> None:
    shown = " ".join(run("pets.csv").split())
    for words in (
        "pets.csv: 60 rows, 4 columns",
        "id number 60 1 to 60 left out: counts the rows",
        "age number 13 8 0 to 12",
        "born date 28 2001-02-01 to 2001-02-28",
        "species text 2 cat, dog",
        "The column to predict may be species; targets are often called so: sevensteps train "
        "pets.csv --target species",
    ):
        assert words in shown
    facts = json.loads(run("pets.csv", "--json"))
    assert (facts["rows"], facts["target"], facts["suggested"]) == (60, "species", True)
    assert facts["reason"] == "targets are often called so"


def test_with_a_target_the_columns_and_the_data() -> None:
    shown = " ".join(run("pets.csv", "--target", "species").split())
    assert "species text 2 cat, dog" in shown
    assert "samples 48 to train on, 12 to validate on" in shown
    assert "may be" not in shown
    assert "table" in json.loads(run("pets.csv", "--target", "species", "--json"))
