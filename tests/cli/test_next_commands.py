"""What is proposed after a training: commands that a shell and click can read."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
import torch

import sevensteps as ss
from sevensteps.cli import cli
from sevensteps.cli.next_commands import cure_command, next_commands, warnings_and_errors
from sevensteps.doctor.finding import Finding


def test_remarks_are_no_problems() -> None:
    findings = [_finding(severity) for severity in ("info", "error", "warning")]
    assert warnings_and_errors(findings) == findings[1:]


def _finding(severity: str) -> Finding:
    return Finding("dead_units", "initialize", severity, 0.9, "Units are off. Always.", [])  # type: ignore[arg-type]


def assert_can_be_typed(commands: list[str]) -> None:
    for line in commands:
        name, *arguments = shlex.split(line)[1:]
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, arguments)  # click can read it


def test_a_run_that_is_well_is_explained_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ss.train("xor", predict="linear()", stop="epochs(1)", watch=0, progress=False)
    commands = next_commands(run)
    assert commands[:2] == ["sevensteps explain last why", "sevensteps explain last steps"]
    assert commands[2] == "sevensteps report last"
    assert commands[3] == f'sevensteps train --recipe {run.folder}/recipe.toml --predict "mlp(30)"'
    assert_can_be_typed(commands)


def test_a_run_with_a_fault_is_diagnosed_and_cured_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ss.train(
        "digits",
        initialize="zeros()",
        predict="mlp(8)",
        stop="epochs(3)",
        out="a b",
        progress=False,
    )
    commands = next_commands(run)
    assert commands[0] == 'sevensteps diagnose "a b" --try'
    assert commands[1] == cure_command(run)
    assert commands[1] == (
        'sevensteps train --recipe "a b/recipe.toml" --initialize "kaiming_normal()"'
    )
    assert_can_be_typed(commands)


def test_a_cure_of_the_data_is_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = ss.train("speed", out="run", progress=False)
    assert run.findings[0].remedies[0].change == {"data": "standardize()"}
    assert cure_command(run) == (
        "sevensteps train --recipe run/recipe.toml "
        """'speed(scale="standardize", target_scale="standardize")'"""
    )
    assert_can_be_typed(next_commands(run))


def test_what_only_python_has_is_not_trained_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x = torch.arange(40.0)[:, None]
    data = ss.data.from_arrays(x, (x[:, 0] > 19).long())
    run = ss.train(data, predict="linear()", stop="epochs(1)", out="run", watch=0, progress=False)
    assert not any(command.startswith("sevensteps train") for command in next_commands(run))
