"""Other words on lines that make optimizers, or give batches their order."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.of_source import Edit, replacement, rewrite
from sevensteps.doctor.trials.script.source import Source, name_of_call

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}


def other_optimizer(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """Another kind of optimizer, with its learning rate, where a remedy is one."""
    for remedy in finding.remedies:
        kind, _, options = remedy.change.get("step", "").partition("(")
        if len(remedy.change) > 1 or kind not in OPTIMIZERS:
            continue
        for file in files:
            edits = []
            for call in file.calls:
                if name_of_call(call) in OPTIMIZERS.values() and call.args:
                    prefix = file.segment(call.func)[: -len(name_of_call(call))]
                    if name_of_call(call) == OPTIMIZERS[kind] or not prefix:
                        continue
                    text = f"{prefix}{OPTIMIZERS[kind]}({file.segment(call.args[0])}, {options}"
                    edits.append(replacement(file, call, text))
            yield from rewrite(file, edits)


def shuffled_slices(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """Batches that are sliced by hand are slices of an order that is drawn before each epoch."""
    for file in files:
        loops = [node for node in ast.walk(file.tree) if isinstance(node, ast.For)]
        for loop in loops:
            slices = _slices_from(loop)
            if not slices or not any(
                isinstance(node, ast.Call) and name_of_call(node) == "backward"
                for node in ast.walk(loop)
            ):
                continue
            edits: list[Edit] = [
                replacement(file, part.slice, f"order[{file.segment(part.slice)}]")
                for part in slices
            ]
            line, column, _, _ = replacement(file, loop, "")
            first = file.segment(slices[0].value)
            text = f"order = torch.randperm(len({first}))\n{' ' * column}"
            yield from rewrite(file, [(line, column, "", text), *edits])


def _slices_from(loop: ast.For) -> list[ast.Subscript]:
    """The slices in a loop that begin at its variable, or at a multiple of it."""
    if not isinstance(loop.target, ast.Name):
        return []
    name = loop.target.id
    return [
        node
        for node in ast.walk(loop)
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Slice)
        and node.slice.lower is not None
        and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node.slice.lower))
    ]
