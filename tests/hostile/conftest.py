"""A folder of one's own with two finished runs, a command line, and a table of what must be
refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.cli import main
from tests.helpers.counts import count
from tests.helpers.interrupts import InterruptAt

Refused = Callable[[tuple[str, ...], str], None]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trainings, not to be changed: `run`, on xor and finished, `begun`, interrupted, and `digits`,
    on pictures.
    """
    place = tmp_path_factory.mktemp("hostile")
    made = {
        "predict": "mlp(3)",
        "step": "sgd(lr=0.1, momentum=0.9)",
        "repeat": "batches(40)",
        "seed": 1,
    }
    ss.train("xor", **made, stop="epochs(2)", out=place / "run")
    ss.train("xor", **made, stop="max_steps(9)", out=place / "begun", observers=[InterruptAt(6)])
    ss.train("digits", predict="linear()", stop="max_steps(1)", out=place / "digits")
    return place


@pytest.fixture
def here(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a new one, with copies of those runs."""
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name in ("SEVENSTEPS_DEBUG", "SEVENSTEPS_DATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def refused(here: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """`refused(arguments, message)`: that command line says `message` in one line, leaves with 2,
    and leaves every file as it was.
    """

    def check(arguments: tuple[str, ...], message: str) -> None:
        before = listed()
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        written = capsys.readouterr()
        assert written.err == f"sevensteps: {message}\n"
        assert (left.value.code, written.out) == (2, "")
        assert listed() == before, "nothing is left behind, and nothing is changed"
        count("bad inputs, each one line and nothing left behind")

    return check


def listed() -> dict[str, int]:
    """All files here, with their sizes; the lock of a run is no trace."""
    return {
        str(path): path.lstat().st_size
        for path in Path().rglob("*")
        if path.name != ".lock" and "__pycache__" not in path.parts
    }
