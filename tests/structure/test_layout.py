"""Tests mirror the package: every module has its file of tests, or stands in a table that has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch

import pytest

from tests.structure.sources import PACKAGE, ROOT

# Modules that are members of one kind, or faces of one answer, and are tested as such: the pattern
# of their paths, and the file of tests that every one of them enters.
CONTRACTS = {
    "doctor/conditions/*.py": "doctor/test_conditions.py",
    "doctor/trials/script/of_*.py": "doctor/trials/script/test_interventions.py",
    "doctor/trials/script/rewrites_of_*.py": "doctor/trials/script/test_rewrites.py",
    "engine/activations.py": "engine/test_agreement.py",
    "engine/compiled/*.py": "engine/compiled/test_agreement.py",
    "engine/layers.py": "engine/test_agreement.py",
    "explain/*/text.py": "explain/test_base.py",
    "explain/*/figure.py": "explain/test_figures.py",
    "view/document/*.py": "view/document/test_documents.py",
}
TESTS = ROOT / "tests"
MODULES = [
    path.relative_to(PACKAGE).as_posix()
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name not in ("__init__.py", "__main__.py")
]
PAGE = ROOT / "docs" / "architecture.md"


def own_tests(module: str) -> str:
    """The file of tests that mirrors a module: `engine/test_hessian.py` of `engine/hessian.py`."""
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name}" if folder else f"test_{name}"


def test_every_module_has_its_tests() -> None:
    alone = [module for module in MODULES if not (TESTS / own_tests(module)).is_file()]
    missing = [
        module for module in alone if not any(fnmatch(module, pattern) for pattern in CONTRACTS)
    ]
    assert missing == []


@pytest.mark.parametrize("pattern", CONTRACTS)
def test_the_table_says_what_is_there(pattern: str) -> None:
    assert (TESTS / CONTRACTS[pattern]).is_file()
    members = [module for module in MODULES if fnmatch(module, pattern)]
    assert [module for module in members if not (TESTS / own_tests(module)).is_file()] != []


def test_every_place_in_the_architecture_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    places = re.findall(r"`((?:sevensteps|tests|docs|benchmarks|examples)/[\w./]*)`", text)
    assert len(places) >= 40
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_the_architecture_answers_twenty_questions() -> None:
    text = PAGE.read_text(encoding="utf-8").split("## Where is")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == 20
    assert all(re.search(r"`sevensteps/", row) for row in rows)


# How to add a member of a kind: the heading in the architecture, and the test that adds one.
ADDED = {
    "an activation, with its derivative": "engine/test_adding_an_activation.py",
    "a loss": "steps/test_adding_a_loss.py",
    "a stop rule": "steps/test_adding_a_stop_rule.py",
    "a condition": "doctor/test_adding_a_condition.py",
    "a data source": "data/added/sine_wave.py",
    "an integration": "integrations/test_adding.py",
}


def definitions(tree: ast.Module) -> Iterator[str]:
    """Every class and function of a file, also of text in it that is Python, without docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield ast.unparse(undocumented(node))
        elif isinstance(node, ast.Constant) and "\n" in str(node.value):
            try:
                inner = ast.parse(str(node.value))
            except SyntaxError:
                continue
            yield from definitions(inner)


def undocumented(node: ast.ClassDef | ast.FunctionDef) -> ast.AST:
    """A definition without the docstrings in it."""
    for part in ast.walk(node):
        if isinstance(part, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(part) is not None:
            part.body = part.body[1:] or [ast.Pass()]
    return node


@pytest.mark.parametrize("what", ADDED)
def test_what_the_page_adds_is_what_a_test_adds(what: str) -> None:
    section = PAGE.read_text(encoding="utf-8").split(f"### Adding {what}\n")[1].split("\n### ")[0]
    blocks = re.findall(r"^```py\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    tested = set(definitions(ast.parse((TESTS / ADDED[what]).read_text(encoding="utf-8"))))
    shown = [
        ast.unparse(undocumented(node))
        for block in blocks
        if not re.match(r'"\w|Activation', block)  # a row of a table
        for node in ast.parse(block).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    ]
    assert shown
    assert [text for text in shown if text not in tested] == []
    assert sum(len(block.splitlines()) for block in blocks) < 40
