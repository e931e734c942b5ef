"""What every command shares: help, errors in one line, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sevensteps import __version__
from sevensteps.cli import COMMANDS, main
from sevensteps.errors import NotationError

Command = Callable[..., Any]


def test_help_names_every_command(sevensteps: Command) -> None:
    for flag in ("--help", "-h"):
        result = sevensteps(flag)
        assert (result.code, result.err) == (0, "")
        assert [
            line.split()[0]
            for line in result.lines
            if line.startswith("  ") and line.split()[0] in COMMANDS
        ] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, sevensteps: Command) -> None:
    result = sevensteps(name, "--help")
    assert result.code == 0
    assert max(map(len, result.lines)) <= 80, "also the examples, each of which is one line"
    assert result.out.startswith(f"Usage: sevensteps {name} ")
    assert f"  sevensteps {name}" in result.out
    assert "--json" in result.out


def test_the_version(sevensteps: Command) -> None:
    result = sevensteps("--version")
    assert result.code == 0
    assert result.out.rstrip().endswith(__version__)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("trian",), "there is no command 'trian'; did you mean 'train'?"),
        (
            ("train",),
            "name the data to train on, as in: sevensteps train digits (see: sevensteps train "
            "--help)",
        ),
        (
            ("train", "digits", "--seed", "x"),
            "Invalid value for '--seed': 'x' is not a valid integer. (see: sevensteps train "
            "--help)",
        ),
        (
            ("compare", "a"),
            "Missing argument 'RUN'. Write, for example: sevensteps compare RUN last (see: "
            "sevensteps compare --help)",
        ),
        (
            ("predict", "new.csv"),
            "Missing argument 'FILE...'. Write, for example: sevensteps predict last new.csv (see: "
            "sevensteps predict --help)",
        ),
        (
            ("train", "a.csv", "kind"),
            "Got unexpected extra argument (kind); the column to predict is named as in: --target "
            "kind (see: sevensteps train --help)",
        ),
        (
            ("train", "digits", "--gpu"),
            "there is no option --gpu; write: --device cuda (see: sevensteps train --help)",
        ),
        (("help",), "there is no command 'help'; write: sevensteps --help"),
        (("help", "train"), "there is no command 'help'; write: sevensteps train --help"),
        (("version",), "there is no command 'version'; write: sevensteps --version"),
        (("runs", "extra"), "Got unexpected extra argument (extra) (see: sevensteps runs --help)"),
        (("steps", "los"), "there is no step 'los'; did you mean 'loss'?"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_2(
    arguments: tuple[str, ...], message: str, sevensteps: Command
) -> None:
    result = sevensteps(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"sevensteps: {message}\n"


def test_debug_shows_where_it_went_wrong(
    monkeypatch: pytest.MonkeyPatch, sevensteps: Command
) -> None:
    assert sevensteps("train", "dgits").code == 2
    for arguments in (["--debug", "train", "dgits"], ["train", "dgits", "--debug"]):
        with pytest.raises(NotationError, match="data has no 'dgits'"):
            main(arguments)
    monkeypatch.setenv("SEVENSTEPS_DEBUG", "1")
    with pytest.raises(NotationError, match="data has no 'dgits'"):
        main(["train", "dgits"])


def test_an_interrupt_anywhere_is_130(monkeypatch: pytest.MonkeyPatch, sevensteps: Command) -> None:
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sevensteps.training.resolve.load_data", interrupted)
    result = sevensteps("train", "digits")
    # on a line of its own, after ^C
    assert (result.code, result.out, result.err) == (
        130,
        "",
        "\nsevensteps: interrupted\n",
    )


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("sevensteps.training.resolve.load_data", broken)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        main(["train", "digits"])
