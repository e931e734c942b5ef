"""What `train` prints: its plan, warnings, and what to run next."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import sevensteps as ss
from sevensteps.cli import main
from sevensteps.cli.output import console
from sevensteps.cli.training_output import (
    curve_lines,
    duplicates_warning,
    few_samples_warning,
    print_findings,
)
from sevensteps.doctor.finding import Finding
from tests.data.copies import with_copies


@pytest.mark.parametrize(
    ("copies", "message"),
    [
        (0, ""),
        (
            1,
            "1 of 20 validation samples is also a training sample, so the validation figures are "
            "better than they would be on new samples.",
        ),
        (
            7,
            "7 of 20 validation samples are also training samples, so the validation figures are "
            "better than they would be on new samples.",
        ),
        (
            20,
            "All 20 validation samples are also training samples, so the validation figures say "
            "nothing about new samples.",
        ),
    ],
)
def test_the_warning_about_duplicates(copies: int, message: str) -> None:
    data = with_copies(copies)
    assert data.duplicates == data.facts()["duplicates"] == copies
    assert duplicates_warning(data) == message


def test_one_copy_among_many_is_said_to_matter_little() -> None:
    data = with_copies(2, 200)
    assert duplicates_warning(data) == (
        "2 of 200 validation samples are also training samples: too few to change the validation "
        "figures by much."
    )


def test_the_warning_about_few_validation_samples() -> None:
    assert few_samples_warning(ss.data.load("xor(n=20)")) == (
        "There are 4 validation samples only: one more or less that is answered right changes the "
        "accuracy by 0.25."
    )
    assert few_samples_warning(ss.data.load("xor(n=200)")) == ""
    assert few_samples_warning(ss.data.load("speed")) == ""


def test_training_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    x, y = (
        torch.cat(
            [getattr(with_copies(0).train, name), getattr(with_copies(0).valid, name)]
        ).numpy()
        for name in "xy"
    )
    np.savez(
        "a.npz",
        x=x[:40],
        y=y[:40, 0].astype(int),
        x_valid=np.concatenate([x[:3], x[40:]]),
        y_valid=np.concatenate([y[:3, 0], y[40:, 0]]).astype(int),
    )
    for arguments in (
        ["train", "a.npz", "--stop", "epochs(1)", "--out", "run"],
        ["data", "a.npz", "--json"],
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert not left.value.code
        out = capsys.readouterr().out
        if arguments[0] == "train":
            assert (
                "3 of 23 validation samples are also training samples, so the validation figures "
                "are better than they would be on new samples." in " ".join(out.split())
            )
    assert json.loads(out)["duplicates"] == 3


def finding(severity: str) -> Finding:
    return Finding("dead_units", "initialize", severity, 0.9, "Units are off. Always.", [])  # type: ignore[arg-type]


def test_a_finding_is_a_line_and_its_first_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_findings(console(), [finding("error")], remedies=True)
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["dead_units", "initialize", "error"]
    assert second.strip() == "Units are off."


def test_a_run_ends_with_its_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    run = ss.train("xor", predict="mlp(8)", stop="epochs(5)", out="run", watch=0, progress=False)
    loss, accuracy, gap = (line.plain for line in curve_lines(run))
    losses = [row["valid"]["loss"] for row in run.history]
    assert loss.split()[:2] == ["valid", "loss"]
    assert len(loss.split()[2]) == 5, "a character for each epoch"
    assert loss.endswith(f"{losses[0]:.4g} → {losses[-1]:.4g}")
    assert accuracy.startswith("valid accuracy ")
    assert not gap
    short = ss.train("xor", predict="mlp(8)", stop="epochs(1)", out=False, progress=False)
    assert curve_lines(short) == []


def test_a_curve_that_leaves_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = ss.train("speed", predict="mlp(3)", step="sgd(lr=1e30)", stop="epochs(9)", out=False)
    for line in curve_lines(run):
        assert len(line.plain) <= 80


def test_what_a_finding_explains_says_nothing_that_contradicts_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    short = Finding("learning_rate_too_low", "step", "warning", 0.5, "Short.", [], [])
    under = Finding("underfitting", "stop", "info", 0.3, "Under.", [], [])
    dead = Finding("dead_units", "predict", "error", 0.8, "Dead.", [], [], symptoms=[short, under])
    long = Finding("learning_rate_too_high", "step", "error", 0.9, "Long.", [], [], symptoms=[dead])
    print_findings(console(), [long])
    assert "It explains: dead_units, underfitting" in capsys.readouterr().out
