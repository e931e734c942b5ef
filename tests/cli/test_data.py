"""`sevensteps data`: the list and the screen of one source, as people and as programs read it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from sevensteps import data
from sevensteps.cli.data import command
from sevensteps.data.loading import NEEDED
from sevensteps.errors import Error


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        command, arguments, env={"COLUMNS": "80", "NO_COLOR": "1"}, catch_exceptions=False
    )


def test_the_list_has_a_line_for_each_source() -> None:
    result = run()
    assert result.exit_code == 0
    lines = result.output.splitlines()
    by_name = [name for name in data.catalog() if name not in NEEDED]
    assert [line.split()[0] for line in lines[: len(by_name)]] == by_name
    own = lines[len(by_name) :]
    for words in NEEDED.values():
        assert any(line.startswith(words) for line in own), words
    assert lines[4].rstrip() == "speed          a roller coaster's speed: a t² + b t + c, and noise"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", NEEDED)
def test_a_name_that_is_not_enough_is_followed_by_what_to_write(name: str) -> None:
    with pytest.raises(Error, match=f"^data: {name} alone names no data; write .*{name}\\("):
        data.load(name)


def test_the_list_as_json() -> None:
    entries = json.loads(run("--json").output)
    assert [entry["name"] for entry in entries] == list(data.catalog())
    assert entries[4]["arguments"] == (
        "*, noise=3.0, a=0.75, b=-14.25, c=68.6875, scale='default', target_scale='none', seed=0"
    )


def test_the_list_needs_nothing_heavy() -> None:
    code = (
        "import sys; from sevensteps.cli.data import command; command([], standalone_mode=False); "
        "print(sorted({'torch', 'numpy', 'sklearn', 'pooch', 'jaxtyping'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "name",
    [
        e.name
        for e in data.catalog().values()
        if "mnist" not in e.name and e.arguments.startswith("*")
    ],
)
def test_every_screen_fits_80_columns(name: str) -> None:
    result = run(name)
    assert result.exit_code == 0
    assert result.output.startswith(f"{name}: ")
    assert max(len(line.rstrip()) for line in result.output.splitlines()) <= 80


def test_the_screen_of_digits37() -> None:
    lines = [line.rstrip() for line in run("digits37").output.splitlines()]
    for expected in [
        "samples       289 to train on, 73 to validate on",
        "input         1 x 8 x 8 (channels x height x width), 64 numbers, float32",
        "task          binary: the targets are two classes, 7 and 3",
        "scaling       unit: value / 16",
        "always 0      9 of 64 inputs in the training part: they teach nothing and do no",
        "duplicates    0 of the validation samples have the inputs of a training sample",
        "7  143  36  49.5 %  ========================",
        "3  146  37  50.5 %  ========================",
    ]:
        assert expected in lines
    place = lines.index("the first sample of each class")
    assert lines[place + 1].split() == ["7:", "3:"]
    assert set("".join(lines[place + 2 : place + 6])) <= set(" ▄▀█")


def test_the_screen_of_diabetes_and_speed() -> None:
    lines = [" ".join(line.split()) for line in run("diabetes").output.splitlines()]
    assert "scaling standardize: (value - mean) / std, their own for each column" in lines
    assert any(
        line.startswith("targets standardize: (value - mean) / std, mean 15") for line in lines
    )
    assert any(line.startswith("bmi 18") for line in lines)
    assert "train inputs -2.656 to 4.205, mean 0, std 0.9986" in lines
    text = run("speed(noise=0)").output
    assert "train targets  1.188 to 68.69" in text
    assert "raw values" in text


def test_the_screen_of_mnist37(mnist_dir: Path) -> None:
    text = run("mnist37", "--data-dir", str(mnist_dir)).output
    assert "12,396 to train on, 2,038 to validate on" in text
    assert "always 0      144 of 784 inputs" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_json_is_the_facts() -> None:
    assert json.loads(run("speed(seed=2)", "--json").output) == data.load("speed(seed=2)").facts()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digit"], "data has no 'digit'; did you mean 'digits'?"),
        (
            ["mnist", "--data-dir", "/nowhere/at/all"],
            "the data folder /nowhere/at/all is not there; give a folder that holds ",
        ),
    ],
)
def test_what_fails_is_an_error_for_the_caller_to_print(arguments: list[str], message: str) -> None:
    with pytest.raises(Error) as caught:
        run(*arguments)
    assert str(caught.value).startswith(message)


def test_help_says_what_it_does() -> None:
    assert isinstance(command, click.Command)
    assert command.name == "data"
    text = run("--help").output
    assert "List the data sets, or describe DATA" in text
    assert "[DATA]" in text
