"""Nothing outside of a run folder is read or changed through it, no code that it names is run; and
the tables of mistakes are long.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.cli import main
from sevensteps.errors import Error, RunError
from sevensteps.record import database
from sevensteps.record.run_folder import write
from tests import test_bad_input as bad_input
from tests.hostile import test_bad_arguments as bad_arguments
from tests.hostile import test_bad_files as bad_files
from tests.hostile import test_bad_runs as bad_runs


def test_there_are_enough_mistakes() -> None:
    tables: list[dict[str, Any]] = [bad_runs.BAD, bad_files.BAD, bad_arguments.BAD, bad_input.BAD]
    assert sum(map(len, tables)) >= 200
    for name, (*_, message) in (row for table in tables for row in table.items()):
        assert message, name
        assert "\n" not in message, name


@pytest.mark.parametrize(
    "name",
    [
        "record.sqlite",
        "weights.safetensors",
        "best.safetensors",
        "run.json",
        "state.json",
        "state.safetensors",
    ],
)
def test_what_a_link_leads_to_is_never_changed(name: str, here: Path) -> None:
    bad_runs.link(f"run/{name}")()
    before = Path("elsewhere", name).read_bytes()
    with contextlib.suppress(Error):
        ss.resume("run", stop="epochs(3)")
    assert Path("elsewhere", name).read_bytes() == before


def test_a_file_that_somebody_put_in_the_way_of_writing(here: Path) -> None:
    Path("precious").write_text("precious")
    beside = Path("run", f".run.json.{os.getpid()}")
    beside.symlink_to(Path("precious").resolve())
    write(Path("run/run.json"), b"{}")
    assert Path("precious").read_text() == "precious"
    assert Path("run/run.json").read_text() == "{}"
    assert not beside.is_symlink()


def test_a_cell_without_end_is_not_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad_runs.database("update history set valid = '\"' || hex(zeroblob(1000000)) || '\"'")()
    monkeypatch.setattr(database, "MAX_CELL", 1_000_000)
    with pytest.raises(
        RunError, match=r"^run/record.sqlite cannot be used: string or blob too big$"
    ):
        ss.load("run")


def test_links_that_stay_are_followed(here: Path) -> None:
    """To another file of the run folder, and to the run folder."""
    Path("run/best.safetensors").unlink()
    Path("run/best.safetensors").symlink_to("weights.safetensors")
    Path("mine").symlink_to(Path("run").resolve())
    assert ss.load("mine").predict([[0.0, 1.0]]).answers[0] in ("no", "yes")


@pytest.mark.parametrize(
    "verb",
    [
        ("train", "--recipe", "run/recipe.toml"),
        ("predict", "run", "new.csv"),
        ("diagnose", "run"),
        ("diagnose", "run", "--try"),
        ("resume", "run", "--stop", "epochs(3)"),
        ("compare", "run", "run"),
        ("runs",),
    ],
)
def test_code_that_a_run_names_is_never_imported_unasked(
    verb: tuple[str, ...], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("badnet.py").write_text("open('stamp', 'w').close()\n")
    monkeypatch.syspath_prepend(str(here))
    Path("new.csv").write_text("0,1\n")
    bad_runs.recipe("predict = \"module('badnet:stamp')\"")()
    bad_runs.summary(bad_runs.set_to("recipe.predict", 'module("badnet:stamp")'))()
    with pytest.raises(SystemExit) as left:
        main(list(verb))
    assert left.value.code == (0 if verb[0] in ("compare", "runs") else 2)
    assert not Path("stamp").exists()
