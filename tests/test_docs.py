"""The pages say what the package does: what is written in them as a value, a recipe, a command or
Python is read by it.
"""

from __future__ import annotations

import ast
import contextlib
import io
import itertools
import re
import runpy
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

import sevensteps
from sevensteps import steps
from sevensteps.cli import COMMANDS, cli
from sevensteps.doctor.conditions import BY_STEP, condition, condition_names

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
PROGRAMS = ("sevensteps", "python", "torchrun", "sqlite3", "pip", "make")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of `page` in `language` ("" for commands)."""
    return [
        text for kind, text in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language
    ]


def commands(page: Path) -> list[list[str]]:
    """The commands of `page`, as a shell would split them: lines that begin with a program, and
    those after a `$` in what a program prints, each with the lines that continue it.
    """
    found = []
    for kind, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if kind not in ("", "sh", "bash", "console", "text"):
            continue
        for line in re.sub(r"\\\n\s*", "", text).splitlines():
            prompt, command = re.fullmatch(r"(\s*\$ )?(.*)", line).groups()  # type: ignore[union-attr]
            if command.split(" ", 1)[0] in PROGRAMS and (prompt or kind != "text"):
                found.append(shlex.split(command, comments=True))
    return found


def own_commands(page: Path) -> list[list[str]]:
    """The `sevensteps …` commands of `page`."""
    return [words for words in commands(page) if words[0] == "sevensteps"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_values_in_commands_are_read(page: Path) -> None:
    for words in own_commands(page):
        for option, text in itertools.pairwise(words):
            if option.removeprefix("--") in steps.STEPS and option.startswith("--"):
                value = steps.parse(option.removeprefix("--"), text)
                assert steps.parse(option.removeprefix("--"), repr(value)) == value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_and_their_options_exist(page: Path) -> None:
    for words in own_commands(page):
        command: click.Command = cli
        if words[1] in COMMANDS:
            found = cli.get_command(click.Context(cli), words[1])
            assert found is not None
            command = found
        else:
            assert words[1].startswith("--"), f"{page.name}: sevensteps {words[1]}"
        known = {"--help", *(option for parameter in command.params for option in parameter.opts)}
        # `explain` has a command for each question, after the run
        if isinstance(command, click.Group) and command is not cli:
            question = next(
                (command.commands[word] for word in words[2:] if word in command.commands), None
            )
            assert question is not None, f"{page.name}: {' '.join(words)}"
            known |= {option for parameter in question.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, (
            f"{page.name}: {' '.join(words)}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_recipes_are_read(page: Path) -> None:
    for text in blocks(page, "toml"):
        recipe = tomllib.loads(text)
        assert set(recipe) <= {"data", "seed", *steps.STEPS}
        for step in set(recipe) & set(steps.STEPS):
            steps.parse(step, recipe[step])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_in_python_examples_exist(page: Path) -> None:
    for text in blocks(page, "python"):
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "ss"
            ):
                assert hasattr(sevensteps, node.attr), f"{page.name}: ss.{node.attr}"


# what these print is shown, so they are always run
SHOWN = [page for page in PAGES if blocks(page, "text")]
# how often one could look depends on the machine, which may be busy; how many units turn off, on
# luck
SEEN = re.compile(
    r"Seen: .*? of the time\)\.( Fewer\s+steps\s.*?differ\.)?|\d+% of [\w. ]+ is off"
    r"|Not judged\n  looks: .*?differ\n",
    re.DOTALL,
)


# its examples need their libraries: tests/integrations/test_documentation.py runs them
ELSEWHERE = ROOT / "docs" / "integrations.md"


@pytest.mark.draws  # an example may begin with torch.manual_seed
@pytest.mark.parametrize(
    "page",
    [
        page if page in SHOWN else pytest.param(page, marks=pytest.mark.slow)
        for page in PAGES
        if page != ELSEWHERE
    ],
    ids=lambda page: page.stem,
)
@pytest.mark.sampled(2)
def test_python_examples_run_and_print_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # runs are written where one stands
    names: dict[str, Any] = {"__name__": "example"}  # a page is read from its top
    printed = ""
    for kind, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(text, "train.py", "exec"), names)
            printed = out.getvalue()
        elif kind == "text":
            assert alike(printed, text), (
                f"{page.name} shows\n{text}\nand the example above it prints\n{printed}"
            )


def alike(printed: str, shown: str) -> bool:
    """Whether two texts have the same words, and numbers that differ by rounding and by what
    another processor computes.
    """
    a, b = (
        re.split(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)", " ".join(SEEN.sub("", text).split()))
        for text in (printed, shown)
    )
    return a[::2] == b[::2] and [float(number) for number in a[1::2]] == pytest.approx(
        [float(number) for number in b[1::2]], rel=0.05
    )


@pytest.mark.parametrize(
    ("printed", "same"),
    [
        ("loss  2.263 Seen: 440 steps of Net, 9 of them\nclosely (6.5 % of the time).", True),
        ("loss 1.9 Seen: 440 steps of Net, 4 of them closely (2.0 % of the time).", False),
        ("gain 2.261 Seen: 440 steps of Net, 4 of them closely (2.0 % of the time).", False),
        ("loss 2.261 2 Seen: 440 steps of Net, 4 of them closely (2.0 % of the time).", False),
        ("", False),
    ],
)
def test_the_comparison_sees(printed: str, same: bool) -> None:
    assert (
        alike(
            printed, "loss 2.261\nSeen: 440 steps of Net, 4 of them closely (2.0 % of the time).\n"
        )
        is same
    )


def test_every_step_has_its_page() -> None:
    for step in steps.STEPS:
        page = (ROOT / "docs" / "steps" / f"{step}.md").read_text(encoding="utf-8")
        assert steps.QUESTIONS[step].lower() in page.lower()
        assert f"sevensteps.steps.{step}\n" in page


CONDITIONS_PAGE = runpy.run_path(str(ROOT / "docs" / "conditions_page.py"))


def test_every_condition_is_listed_in_the_order_of_the_steps() -> None:
    written = CONDITIONS_PAGE["index"]()
    assert re.findall(r"^\| \[(\w+)\]", written, re.MULTILINE) == [
        name for names in BY_STEP.values() for name in names
    ]
    for page in ("conditions", "doctor"):
        said = re.findall(
            r"(\d+) (?:conditions|names)|There are (\d+)",
            (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"),
        )
        assert {number for numbers in said for number in numbers if number} == {
            str(len(condition_names()))
        }


@pytest.mark.parametrize("name", condition_names())
def test_a_condition_says_all_that_its_section_shows(name: str) -> None:
    said = CONDITIONS_PAGE["sections"](name)
    assert list(said) == ["mechanism", "Measured", "Remedies", "Silent on"]
    assert all(len(part) > 15 and part.endswith(".") for part in said.values()), said
    source = Path(str(condition(name).__file__)).read_text(encoding="utf-8")
    held = CONDITIONS_PAGE["thresholds"](source)
    assert [key for key, _, _ in held] == re.findall(
        r"^([A-Z_]+) = -?[\d.e-]+(?: |$)", source, re.MULTILINE
    )
    assert all(of for _, _, of in held), f"{name}: a threshold without a comment beside it"
    for code in re.findall(r"`([a-z_]+\(.*?\))`", said["Remedies"]):  # a value of one of the steps
        assert any(reads(step, code) for step in steps.STEPS), f"{name}: {code}"


def reads(step: str, text: str) -> bool:
    """Whether `text` is a value of `step`."""
    try:
        steps.parse(step, text)
    except sevensteps.Error:
        return False
    return True
