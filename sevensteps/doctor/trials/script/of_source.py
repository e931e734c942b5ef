"""Alterations of what the user's file says: in memory, as the script reads it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from typing import Any, ClassVar

import torch

from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.source import Source

# in a file: the line and the column where it begins, what stands there, and what is to stand there
Edit = tuple[int, int, str, str]
SIMPLE = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)  # need no brackets
NOTHING = "pass"  # in the place of a line that is left out


def replacement(file: Source, node: ast.expr | ast.stmt, text: str) -> Edit:
    """The edit that puts `text` in the place of a part of a file."""
    line = file.text.split("\n")[node.lineno - 1].encode()[: node.col_offset]
    return node.lineno, len(line.decode()), file.segment(node), text


def set_keyword(file: Source, call: ast.Call, name: str, value: str) -> Edit | None:
    """The edit that gives a call `name=value`; None where it has that already."""
    for keyword in call.keywords:
        if keyword.arg == name:
            same = file.segment(keyword.value) == value
            return None if same else replacement(file, keyword.value, value)
    text = file.segment(call)
    comma = "" if text.rstrip(") \n").endswith(("(", ",")) and not call.args else ", "
    return replacement(file, call, f"{text[:-1].rstrip().rstrip(',')}{comma}{name}={value})")


def enclosed(file: Source, node: ast.expr) -> str:
    """The text of an expression, in brackets where it needs them."""
    text = file.segment(node)
    return text if isinstance(node, SIMPLE) else f"({text})"


def edited(text: str, edits: tuple[Edit, ...]) -> str:
    """`text` with all edits. Raises `ValueError` where something else stands in their places.

    >>> edited("a = f(x)\\nb = 2\\n", ((1, 4, "f(x)", "x"), (2, 4, "2", "3")))
    'a = x\\nb = 3\\n'
    """
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for number, column, before, after in sorted(edits, reverse=True):
        start = starts[number - 1] + column
        if text[start : start + len(before)] != before:
            raise ValueError(f"line {number} is another one")
        text = text[:start] + after + text[start + len(before) :]
    return text


@dataclass
class Rewrite(Intervention):
    """The user's file at this path says something else in some places.

    `changes_loss`: the loss then measures something else.
    """

    file: str
    edits: tuple[Edit, ...]
    changes_loss: bool = field(default=False, kw_only=True)  # type: ignore[misc]
    step: ClassVar[str] = "script"

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None  # a line has no size

    def source(self, path: str, data: bytes) -> bytes:
        if path != self.file:
            return data
        text = edited(importlib.util.decode_source(data), self.edits)
        self.applied = True
        return text.encode()

    def words(self, files: list[Source]) -> str:
        """What the user is to change: `train.py:41: old line → new line`."""
        file = next((f for f in files if str(f.path) == self.file), None)
        if file is None:
            return ""
        by_line: dict[int, list[Edit]] = {}
        for edit in sorted(self.edits):
            by_line.setdefault(edit[0], []).append(edit)
        return "; ".join(_words(file, line, edits) for line, edits in by_line.items())


def _words(file: Source, number: int, edits: list[Edit]) -> str:
    """What is to become of one line."""
    line, place = file.line(number), file.place(number)
    added = [after.strip() for _, _, before, after in edits if not before and "\n" in after]
    if added and len(added) == len(edits):
        return f"{place}: before `{line}` add `{'; '.join(added)}`"
    if len(edits) == 1 and edits[0][3] == NOTHING:
        return f"{place}: leave out `{edits[0][2]}`"
    if any("\n" in before for _, _, before, _ in edits):
        return "; ".join(f"{place}: `{before}` → `{after}`" for _, _, before, after in edits)
    moved = tuple((1, column, before, after) for _, column, before, after in edits)
    whole = file.text.split("\n")[number - 1]
    return f"{place}: `{line}` → `{edited(whole, moved).strip()}`"


def rewrite(file: Source, edits: list[Edit], changes_loss: bool = False) -> Iterator[Rewrite]:
    """The intervention that makes these edits, if there are any; but for those within others."""
    separate: list[Edit] = []
    line = column = 0  # where the last edit ends
    for edit in sorted(edits, key=lambda edit: (edit[0], edit[1], -len(edit[2]))):
        if edit[:2] >= (line, column):
            separate.append(edit)
            rows = edit[2].split("\n")
            start = edit[1] if len(rows) == 1 else 0
            line, column = edit[0] + len(rows) - 1, start + len(rows[-1])
    if separate:
        yield Rewrite(str(file.path), tuple(separate), changes_loss=changes_loss)


def read_modules_by(read: Any) -> None:
    """Have modules that are imported from now on say what `read(path, data)` gives for the bytes of
    their files, where it gives other bytes.
    """
    get_code = SourceFileLoader.get_code

    def get_other_code(self: SourceFileLoader, fullname: str) -> Any:
        path = self.get_filename(fullname)
        own = self.get_data(path) if path.endswith(".py") else b""
        other = read(path, own)
        return get_code(self, fullname) if other == own else self.source_to_code(other, path)

    loader: Any = SourceFileLoader
    loader.get_code = get_other_code
