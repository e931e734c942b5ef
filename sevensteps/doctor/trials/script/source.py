"""The user's files, and what stands in them."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

OWN_FOLDER = str(Path(__file__).resolve().parents[3]) + os.sep
MAX_LINE = 160  # characters of a line that are shown


@dataclass
class Source:
    """One file of the user's."""

    path: Path

    @cached_property
    def text(self) -> str:
        """The file's text; "" where it cannot be read."""
        try:
            return self.path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax; that of an empty file where it is not Python."""
        try:
            return ast.parse(self.text)
        except SyntaxError:
            return ast.Module([], [])

    @cached_property
    def calls(self) -> list[ast.Call]:
        """All calls in it, those that begin first coming first."""
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return sorted(calls, key=lambda call: (call.lineno, call.col_offset))

    def line(self, number: int) -> str:
        """A line without the space around it."""
        lines = self.text.splitlines()
        return lines[number - 1].strip()[:MAX_LINE] if 0 < number <= len(lines) else ""

    def place(self, number: int) -> str:
        """A line's place, as `train.py:41`."""
        return f"{self.path.name}:{number}"

    def segment(self, node: ast.AST) -> str:
        """The text of a part of it."""
        return ast.get_source_segment(self.text, node) or ""

    def changed_line(self, node: ast.expr, text: str) -> str:
        """The line of `node` with `text` in its place; "" where it is more than one line."""
        if node.lineno != node.end_lineno or node.end_col_offset is None:
            return ""
        line = self.text.splitlines()[node.lineno - 1].encode()
        changed = line[: node.col_offset] + text.encode() + line[node.end_col_offset :]
        return changed.decode().strip()[:MAX_LINE]


def name_of_call(call: ast.Call) -> str:
    """The last part of what is called: `softmax` of `F.softmax(x)`."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def sources() -> Iterator[Source]:
    """The script and the modules that it has imported, without those of libraries."""
    seen = set()
    names = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    # the main module has no `__file__` any longer when Python ends
    for name in [os.path.abspath(sys.argv[0]), *names]:
        if name and name.endswith(".py") and os.path.isfile(name) and name not in seen:
            seen.add(name)
            if "site-packages" not in name and not name.startswith((sys.base_prefix, OWN_FOLDER)):
                yield Source(Path(name))


def file_and_line(place: str, files: list[Source]) -> tuple[Source, int] | None:
    name, _, number = place.rpartition(":")
    for file in files:
        if file.path.name == name and number.isdigit():
            return file, int(number)
    return None


def calls_at(files: list[Source], place: str) -> Iterator[tuple[Source, ast.Call]]:
    """The calls on a line, the outermost first."""
    found = file_and_line(place, files)
    if found is not None:
        file, number = found
        for call in file.calls:
            if number in range(call.lineno, (call.end_lineno or call.lineno) + 1):
                yield file, call
