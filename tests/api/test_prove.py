"""`ss.prove`: a script is diagnosed, and its remedy proven, while the disk stays as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.api.prove import Proof
from sevensteps.doctor.report.script import ProcessReport
from sevensteps.errors import ArgumentError
from tests.doctor.trials.script.scripts import SOFTMAX_TWICE


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no such file"):
        ss.prove(tmp_path / "train.py")
    with pytest.raises(ArgumentError, match="budget"):
        ss.prove(tmp_path / "train.py", budget=0)


def test_a_proof_of_nothing() -> None:
    proof = Proof(ProcessReport(nothing="There is no training."), 1)
    assert (proof.trials, proof.patches) == ([], [])
    assert str(proof) == "There is no training."


@pytest.mark.slow
def test_a_remedy_is_proven_on_the_script_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "train.py").write_text(SOFTMAX_TWICE)
    (tmp_path / "log.txt").write_text("before\n")
    runs: list[str] = []
    proof = ss.prove("train.py", budget=100, report=runs.append)
    assert proof.code == 3
    assert (tmp_path / "log.txt").read_text() == "before\n" + 4 * "epoch\n"  # of the watched run
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.txt", "model.pt", "train.py"]
    [trial] = proof.trials
    assert trial.proven
    assert len(trial.seeds) >= len(trial.random) == 3
    assert proof.patches == [
        "train.py:14: `loss = F.cross_entropy(model(x[rows]).softmax(1), y[rows])` → "
        "`loss = F.cross_entropy(model(x[rows]), y[rows])`"
    ]
    assert runs[0].startswith("trial run 1 of 9")
    counts = [re.match(r"trial run (\d+)(?: of (\d+)|, as \d+ left it open)", run) for run in runs]
    assert all(match and (match[2] is None or int(match[1]) <= 9) for match in counts)
    assert not any("10 of 10" in run for run in runs)
    assert "proven: accuracy" in str(proof)
    [finding] = proof.to_dict()["trainings"][0]["diagnosis"]["findings"]
    assert finding["trials"][0]["proven"]
