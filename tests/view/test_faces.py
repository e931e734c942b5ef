"""A diagnosis and an explanation become a page, though they stand below the view."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.errors import ArgumentError


def test_a_diagnosis(watched_diagnosis: Diagnosis, tmp_path: Path) -> None:
    path = watched_diagnosis.report(tmp_path / "a.html")
    document = ss.read_report(path)
    assert document["verdict"]["findings"][0]["condition"] == "output_loss_mismatch"
    with pytest.raises(ArgumentError, match=r"a\.html"):
        watched_diagnosis.report(tmp_path / "a.txt")


def test_an_explanation(faulty_run: ss.Run, tmp_path: Path) -> None:
    path = faulty_run.explain.sample(3).report(tmp_path / "sample.html")
    assert ss.read_report(path)["worst"][0]["sample"]["index"] == 3
    with pytest.raises(ArgumentError, match="no page of Shapes alone"):
        faulty_run.explain.shapes().report(tmp_path / "shapes.html")


def test_a_race(race: ss.Race, tmp_path: Path) -> None:
    assert ss.read_report(race.report(tmp_path / "race.html"))["kind"] == "race"
