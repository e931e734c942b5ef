"""A diagnosis from a folder is the one that was made where it was trained."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.doctor.stored_diagnosis import diagnose_folder
from sevensteps.errors import RunError


def test_it_is_the_same(tmp_path: Path) -> None:
    run = ss.train(
        "iris", predict="mlp(8)", step="sgd(lr=30)", stop="epochs(3)", out=tmp_path / "run"
    )
    assert run.diagnosis is not None
    stored = diagnose_folder(tmp_path / "run")
    assert [f.condition for f in stored.findings] == [f.condition for f in run.diagnosis.findings]
    assert stored.state == run.diagnosis.state


def test_what_was_not_watched(tmp_path: Path) -> None:
    ss.train("iris", predict="linear()", stop="epochs(2)", out=tmp_path / "run", watch=0)
    with pytest.raises(RunError, match="was not watched"):
        diagnose_folder(tmp_path / "run")
