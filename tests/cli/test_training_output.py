"""What `train` prints: its plan, warnings, and what to run next."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
import torch

import sevensteps as ss
from sevensteps.cli import cli, main
from sevensteps.cli.output import console
from sevensteps.cli.training_output import (
    duplicates_warning,
    next_commands,
    print_findings,
    warnings_and_errors,
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


def test_remarks_are_no_problems() -> None:
    findings = [finding(severity) for severity in ("info", "error", "warning")]
    assert warnings_and_errors(findings) == findings[1:]


def test_a_finding_is_a_line_and_its_first_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_findings(console(), [finding("error")], remedies=True)
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["dead_units", "initialize", "error"]
    assert second.strip() == "Units are off."


def test_what_is_proposed_next_fits_the_end_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ss.train("xor", predict="linear()", stop="epochs(1)", out="run", watch=0)
    commands = next_commands(run)
    assert 'sevensteps train xor --predict "mlp(30)"' in commands
    assert not any("resume" in line or "diagnose" in line for line in commands)
    for line in commands:
        name, *arguments = shlex.split(line)[1:]
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, arguments)  # click can read it
