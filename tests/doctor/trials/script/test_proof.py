"""The protocol of trials on a script: how runs are cut, and what is tried of a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from sevensteps.doctor.report.script import TrainingReport
from sevensteps.doctor.trials.script import proof
from sevensteps.doctor.trials.script.backend import ScriptRun
from sevensteps.doctor.trials.script.proof import (
    Length,
    problem,
    shortened,
    try_script,
    try_trainings,
)
from sevensteps.doctor.trials.script.proposals import Proposal
from tests.doctor.trials.script.scripts import SOFTMAX_TWICE, TAKE_OFF

RUN = ScriptRun(["train.py"])


def test_runs_that_fit_are_whole() -> None:
    assert shortened(RUN, Length(10.0, 1000), 60.0, 2) == RUN
    assert problem(RUN) == "whole"


def test_long_runs_are_cut_after_the_steps_that_fit() -> None:
    cut = shortened(RUN, Length(900.0, 10_000), 90.0, 1)
    assert (cut.max_steps, cut.max_evaluations) == (111, None)
    late = shortened(RUN, Length(900.0, 10_000, onset=400), 90.0, 1)
    assert late.max_steps == 800


def test_with_a_validation_they_are_cut_after_one() -> None:
    evaluations = tuple(range(50, 10_001, 50))
    cut = shortened(RUN, Length(900.0, 10_000, evaluations), 90.0, 1)
    assert (cut.max_steps, cut.max_evaluations) == (None, 2)
    assert shortened(RUN, Length(900.0, 10_000, (10_000,)), 90.0, 1).max_evaluations == 1


def test_too_little_time_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SOFTMAX_TWICE)
    proposal = Proposal(0, "output_loss_mismatch", TAKE_OFF, "")
    [(_, trial)] = try_script(RUN, [proposal], Length(5.0, 64), budget=0.01, processes=1)
    assert trial.verdict == "not tried, the time given for trials is over"


def test_imports_and_the_diagnosis_cut_no_trial_short(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []

    def tried(run: ScriptRun, proposals: object, length: Length, **options: object) -> list[object]:
        lengths.append(length.seconds)
        return []

    monkeypatch.setattr(proof, "try_script", tried)
    plan = {"training": 0, "steps": 5, "evaluations": [], "onset": 0, "proposals": [{}]}
    plan |= {"ignored": None, "compared": None, "imports": [], "threads": None}
    monkeypatch.setattr(proof, "Proposal", lambda **proposal: proposal)
    for own in ({}, {"seconds": 1.5}):
        training = TrainingReport(
            "net", "", 5, None, (), "", {"findings": []}, plan={**plan, **own}
        )
        try_trainings([training], ["train.py"], 9.0)
    assert lengths == [9.0, 1.5]


def test_a_report_without_remedies_needs_no_runs() -> None:
    healthy = TrainingReport("net", "", 5, None, (), "", {"findings": []})
    assert try_trainings([healthy], ["train.py"], 1.0) == 0
