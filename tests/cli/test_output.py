"""Tables, JSON and the line that says what is being done, as they are printed."""

from __future__ import annotations

import json
import math

import pytest

from sevensteps.cli.output import (
    WIDTH,
    Status,
    console,
    print_error,
    print_json,
    status,
    table,
)


def test_columns_are_aligned_and_cells_steer_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    console().print(
        table([["a", 1.5], ["long name", 22], ["\x1b[2J", "[red]"]], ["name", "size"], right=[1])
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "name        size",
        "a            1.5",
        "long name     22",
        "\\x1b[2J    [red]",
    ]


def test_a_table_may_have_no_rows_and_rows_of_several_lengths(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console().print(table([], ["name"]))
    console().print(table([["a"], ["b", "c"]]))
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["name"],
        ["a"],
        ["b", "c"],
    ]


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("400", WIDTH)])
def test_the_screen_is_that_of_the_terminal_up_to_100_columns(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert console().width == width


def test_json_is_one_line_without_infinities(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"loss": math.nan, "name": "größe", "rows": [math.inf, 1]})
    out = capsys.readouterr().out
    assert out == '{"loss": null, "name": "größe", "rows": [null, 1]}\n'
    assert json.loads(out)["rows"] == [None, 1]


def test_away_from_a_terminal_each_message_is_a_line_of_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with status() as say:
        assert isinstance(say, Status)
        say("first")
        say("second")
        say.stop()
    assert capsys.readouterr() == ("", "first\nsecond\n")


LONG = (
    "the column 'spcies' is not in penguins.csv, which has 17 columns; did you mean 'species'? "
    "Write: sevensteps train penguins.csv --target species --missing drop --predict 'mlp(30)'"
)


def test_an_error_is_wrapped_on_a_terminal_and_its_command_can_be_copied(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_error(LONG)
    assert capsys.readouterr().err == f"sevensteps: {LONG}\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    print_error(LONG)
    lines = capsys.readouterr().err.splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert lines[-2:] == [
        "  sevensteps train penguins.csv --target species \\",
        "      --missing drop --predict 'mlp(30)'",
    ]
    print_error("short")
    assert capsys.readouterr().err == "sevensteps: short\n"
