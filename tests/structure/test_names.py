"""Names say what a value is: the words that only say that it exists are rare, and never public."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.structure.sources import PACKAGE, sources

# They say that a value exists, not what it is. Counted at first: 31.6 of every 1,000 names; optax,
# equinox and torchtitan have none.
FILLERS = {"found", "held", "made", "said", "told", "asked", "given", "kept", "seen"}
MOST = 3  # of 1,000 names
# a value of step 2, written so in recipes, as as_given()
NOTATION = {"steps/predict.py": {"given"}}


def fillers(name: str) -> set[str]:
    """The filler words that a name is made of."""
    return set(name.lower().split("_")) & FILLERS if name != "as_given" else set()


def names(tree: ast.Module) -> Iterator[str]:
    """Every name of a file, as often as it is written, definitions, attributes and keywords too."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name.split(".")[-1]


def public_names(tree: ast.Module) -> Iterator[str]:
    """The functions, classes, methods, fields and parameters that others can use."""
    for node in tree.body:
        yield from _public(node)


def _public(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
        not node.name.startswith("_") or node.name == "__init__"
    ):
        yield node.name
        yield from (
            argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)
        )
    elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
        yield node.name
        for member in node.body:
            yield from _public(member)


def rate(files: list[ast.Module]) -> tuple[float, Counter[str]]:
    """Names with a filler word of every 1,000, and which."""
    every = [name for tree in files for name in names(tree)]
    wrong = Counter(name for name in every if fillers(name))
    return 1000 * wrong.total() / len(every), wrong


def test_few_names_are_filler_words() -> None:
    share, wrong = rate([tree for _, tree in sources()])
    assert share <= MOST, f"{share:.1f} of 1,000: {wrong.most_common(20)}"


def test_no_public_name_is_a_filler_word() -> None:
    wrong = {}
    for path, tree in sources():
        file = path.relative_to(PACKAGE).as_posix()
        public = {name for name in public_names(tree) if fillers(name)}
        wrong[file] = sorted(public - NOTATION.get(file, set()))
    assert {file: bad for file, bad in wrong.items() if bad} == {}


def test_no_module_is_a_filler_word() -> None:
    assert [path for path, _ in sources() if fillers(Path(path).stem)] == []


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("def told(x): found = x", {"told"}),
        ("def _told(found): return found", set()),
        ("class Seen:\n    kept: int\n    def show(self, asked): pass", {"Seen", "kept", "asked"}),
        ("class as_given:\n    pass", set()),
        ("LAST_SEEN = 3", {"LAST_SEEN"}),
    ],
)
def test_the_check_of_public_names(text: str, public: set[str]) -> None:
    assert {name for name in public_names(ast.parse(text)) if fillers(name)} == public


def test_the_count_of_names() -> None:
    tree = ast.parse("from a import held as b\nfound = f(made=1).said + found_loss\ngiven(x)")
    share, wrong = rate([tree])
    assert wrong == Counter(found=1, made=1, said=1, found_loss=1, given=1)
    assert share == 1000 * 5 / 8
