"""The faulty trainings of `../shared/field` as plain scripts, as their users would have them: no
watch, one statement on a line, the faulty way only or the cured one only.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "field"
COMMON = "_common.py"
SCORE = "score"  # the word before the number that a script prints at its end


def faulty() -> list[str]:
    """The names of the files of faulty trainings; none where the folder is missing."""
    index = FOLDER / "index.json"
    if not index.exists():
        return []
    cases = json.loads(index.read_text(encoding="utf-8"))
    return [case["file"] for case in cases if case["kind"] != "healthy"]


def write_script(name: str, which: str, folder: Path) -> Path:
    """Write the script of a case, "fault" or "twin", and what it imports, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    common = ast.parse((FOLDER / COMMON).read_text(encoding="utf-8"))
    common.body = [part for part in common.body if getattr(part, "name", "") not in WATCHING]
    (folder / COMMON).write_text(ast.unparse(common) + "\n", encoding="utf-8")
    path = folder / name.split("_", 1)[1]
    text = (FOLDER / name).read_text(encoding="utf-8")
    path.write_text(plain_script(text, which), encoding="utf-8")
    return path


WATCHING = ("Plain", "watch")  # of what is imported


def plain_script(text: str, which: str) -> str:
    """A case with a function `run(which, seed)` as a script that trains once and prints its score.

    >>> case = "def run(which, seed): return d, 1 if which == 'twin' else seed"
    >>> print(plain_script(case, "twin"))
    def main():
        return 1
    print('score', main())
    <BLANKLINE>
    """
    tree = Plainer(which).visit(ast.parse(text))
    tree.body.append(ast.parse(f"print({SCORE!r}, main())").body[0])
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


class Plainer(ast.NodeTransformer):
    """Leaves out the watch, and decides what depends on `which`."""

    def __init__(self, which: str) -> None:
        self.which = which

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if node.name == "run":
            node.name, node.args.args = "main", []
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(0) if node.id == "seed" else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if isinstance(node.left, ast.Name) and node.left.id == "which":
            [other] = node.comparators
            assert isinstance(other, ast.Constant)
            return ast.Constant(other.value == self.which)
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        return node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        return node

    def visit_With(self, node: ast.With) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        call = node.items[0].context_expr
        watches = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "watch"
        return node.body if watches else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if _calls_watch(node.value) else self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        return None if _calls_watch(node.value) else self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Tuple) and getattr(node.value.elts[0], "id", "") == "d":
            node.value = node.value.elts[1]
        return node


def _calls_watch(value: ast.expr) -> bool:
    """Whether it is `w.step(...)` or `w.diagnose(...)`."""
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and getattr(value.func.value, "id", "") == "w"
    )
