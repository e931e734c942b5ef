"""The pages say what the package does: what is written in them as a value, a recipe, a command or Python is read by it."""

from __future__ import annotations

import ast
import itertools
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

import sevensteps
from sevensteps import steps
from sevensteps.cli import VERBS, cli

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of `page` in `language` ("" for commands)."""
    return [text for kind, text in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def commands(page: Path) -> list[list[str]]:
    """The `sevensteps …` lines of `page`, as a shell would split them."""
    lines = [line for kind in ("", "sh", "bash", "console") for text in blocks(page, kind) for line in text.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("sevensteps ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_values_in_commands_are_read(page: Path) -> None:
    for words in commands(page):
        for option, text in itertools.pairwise(words):
            if option.removeprefix("--") in steps.STEPS and option.startswith("--"):
                value = steps.parse(option.removeprefix("--"), text)
                assert steps.parse(option.removeprefix("--"), repr(value)) == value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_and_their_options_exist(page: Path) -> None:
    for words in commands(page):
        command: click.Command = cli
        if words[1] in VERBS:
            found = cli.get_command(click.Context(cli), words[1])
            assert found is not None
            command = found
        else:
            assert words[1].startswith("--"), f"{page.name}: sevensteps {words[1]}"
        known = {"--help", *(option for parameter in command.params for option in parameter.opts)}
        assert {word for word in words if word.startswith("--")} <= known, f"{page.name}: {' '.join(words)}"


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
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ss":
                assert hasattr(sevensteps, node.attr), f"{page.name}: ss.{node.attr}"


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # runs are written where one stands
    for text in blocks(page, "python"):
        exec(compile(text, str(page), "exec"), {"__name__": "example"})


def test_every_step_has_its_page() -> None:
    for step in steps.STEPS:
        page = (ROOT / "docs" / "steps" / f"{step}.md").read_text(encoding="utf-8")
        assert steps.QUESTIONS[step].lower() in page.lower()
        assert f"sevensteps.steps.{step}\n" in page
