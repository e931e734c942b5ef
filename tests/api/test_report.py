"""The report of a run, of several, of a race, and of a folder that was watched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.api.report import write_report
from sevensteps.errors import ArgumentError, RunError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    ss.train("iris", predict="linear()", stop="epochs(2)", out=tmp_path / "run")
    return tmp_path / "run"


def test_a_run(run: Path, tmp_path: Path) -> None:
    document = write_report([run], tmp_path / "a.html")
    assert document == ss.read_report(tmp_path / "a.html")
    assert document["kind"] == "run"


def test_a_run_that_was_not_watched(tmp_path: Path) -> None:
    run = ss.train("iris", predict="linear()", stop="epochs(2)", out=tmp_path / "run", watch=0)
    document = run.document()
    assert document["verdict"]["state"] == "unknown"
    assert "was not watched" in document["verdict"]["basis"]
    assert document["curves"]


def test_the_same_run_twice_is_told_apart(run: Path, tmp_path: Path) -> None:
    document = write_report([run, run], tmp_path / "a.html")
    assert document["comparison"]["runs"] == ["1. run", "2. run"]
    assert document["subtitle"] == "The same recipe."
    with pytest.raises(ArgumentError, match="16 runs at most"):
        write_report([run] * 17, tmp_path / "a.html")


def test_a_race_whose_file_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "race.json").write_text(json.dumps({"runs": []}))
    with pytest.raises(RunError, match=r"race\.json is damaged"):
        write_report([tmp_path], tmp_path / "a.html")


@pytest.mark.draws
def test_a_folder_that_was_watched(tmp_path: Path) -> None:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(64, 4), torch.randint(2, (64,))
    with ss.watch(model, optimizer) as watch:
        for _ in range(20):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    watch.save(tmp_path / "case")
    document = write_report([tmp_path / "case"], tmp_path / "a.html")
    assert document["title"] == "case: Linear"
