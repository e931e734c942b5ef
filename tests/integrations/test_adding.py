"""An integration is one file and one row of the table: here is one that is added."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import sevensteps as ss
from sevensteps import integrations
from sevensteps.errors import ArgumentError
from sevensteps.integrations import INTEGRATIONS, Integration
from tests.structure.sources import PACKAGE

# A file of its own, sevensteps/integrations/csv_log.py: it uses the library csv, and no more of
# sevensteps than Observer.
CSV_LOG = '''
"""csv: one row of a file for every evaluation of a training."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from sevensteps.training.observer import Observer
from sevensteps.training.state import Training


class CsvLog(Observer):
    """Writes epoch and both losses to `path`: `train(…, observers=[CsvLog(path)])`."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def started(self, training: Training) -> None:
        self.path.write_text("epoch,train,valid\\n")

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow([row["epoch"], row["train"]["loss"], row["valid"]["loss"]])
'''
ROW = {"csv_log": Integration("one row of a .csv for every evaluation", "csv", "python")}


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file is in the package's folder and its row in the table, as for one that is there."""
    (tmp_path / "csv_log.py").write_text(CSV_LOG)
    monkeypatch.setattr(integrations, "__path__", [*integrations.__path__, str(tmp_path)])
    monkeypatch.setattr(integrations, "INTEGRATIONS", INTEGRATIONS | ROW)
    monkeypatch.delitem(sys.modules, "sevensteps.integrations.csv_log", raising=False)


def test_it_is_short() -> None:
    assert len(CSV_LOG.strip().splitlines()) < 40


@pytest.mark.usefixtures("added")
def test_it_works_once_it_is_in_the_table(tmp_path: Path) -> None:
    assert integrations.available()["csv_log"]
    log = integrations.load("csv_log").CsvLog(tmp_path / "log.csv")
    run = ss.train("xor", stop="epochs(3)", observers=[log], out=False)
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["valid"]) for row in rows] == [row["valid"]["loss"] for row in run.history]


@pytest.mark.parametrize("name", INTEGRATIONS)
def test_every_integration_has_what_it_needs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")  # where Keras is imported here first
    if not integrations.available()[name]:
        pytest.skip(f"{INTEGRATIONS[name].library} is not installed: make test-integrations")
    module = integrations.load(name)
    assert isinstance(module, ModuleType)
    assert module.__doc__
    assert (PACKAGE / "integrations" / f"{name}.py").is_file()


def test_every_file_has_its_row() -> None:
    files = {path.stem for path in (PACKAGE / "integrations").glob("*.py")} - {"__init__"}
    files -= {"watched_training", "logged_run"}  # what several of them share
    assert files == set(INTEGRATIONS)


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match=r"^there is no integration 'scikit'; did you mean"):
        integrations.load("scikit")
    absent = Integration("nothing", "a_library_that_is_not_there", "sevensteps[absent]")
    monkeypatch.setitem(INTEGRATIONS, "absent", absent)
    assert not integrations.available()["absent"]
    message = r"^the integration absent needs a_library_that_is_not_there, which is not installed: "
    for ask in (integrations.load, integrations.library_of, integrations.__getattr__):
        with pytest.raises(ArgumentError, match=message + r'pip install "sevensteps\[absent\]"$'):
            ask("absent")


def test_an_integration_is_an_attribute() -> None:
    assert ss.integrations.scikit_learn is integrations.load("scikit_learn")
    with pytest.raises(AttributeError, match="has no attribute 'scikit'"):
        ss.integrations.scikit  # noqa: B018


def test_the_package_imports_none_of_their_libraries() -> None:
    script = (
        "import sys, sevensteps.integrations as i, sevensteps.api.watch; "
        "print([row.library for row in i.INTEGRATIONS.values() if row.library in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("[]", "['sklearn']")  # the package uses scikit-learn itself
