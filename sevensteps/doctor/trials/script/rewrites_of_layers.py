"""Other words on lines that make layers or call them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.questions.companions import companions
from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.of_source import (
    Edit,
    enclosed,
    replacement,
    rewrite,
    set_keyword,
)
from sevensteps.doctor.trials.script.source import Source, name_of_call

WITH_AXES = ("softmax", "log_softmax", "normalize", "Softmax", "LogSoftmax")
BATCH_FIRST = (
    *("RNN", "LSTM", "GRU", "MultiheadAttention", "Transformer"),
    *("TransformerEncoderLayer", "TransformerDecoderLayer"),
)
ATTENTIVE = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)


def batch_axis(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """The layers that take the second axis for the batch take the first."""
    answer = companions(case)
    parts = [] if answer is None or answer.module is None else list(answer.module.modules())
    kinds = {type(p).__name__ for p in parts if not getattr(p, "batch_first", True)}
    for file in files:
        calls = [c for c in file.calls if name_of_call(c) in BATCH_FIRST]
        named = [c for c in calls if name_of_call(c) in kinds] or calls
        edits = [set_keyword(file, call, "batch_first", "True") for call in named]
        yield from rewrite(file, [edit for edit in edits if edit is not None])
    yield from class_axis(case, finding, files)


def class_axis(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """What works along the axis of the batch works along the last one."""
    for file in files:
        edits = []
        for call in file.calls:
            if name_of_call(call) in WITH_AXES:
                axes = [k.value for k in call.keywords if k.arg in ("dim", "axis")]
                axes += call.args[-1:]
                zeros = [a for a in axes if isinstance(a, ast.Constant) and a.value == 0]
                edits += [
                    replacement(file, axis, "-1") for axis in zeros if axis.value is not False
                ]
        yield from rewrite(file, edits)


def dropout_in_training(
    case: Case, finding: Finding, files: list[Source]
) -> Iterator[Intervention]:
    """Dropout that is called as a function follows the mode of its module."""
    for file in files:
        edits = []
        for call in file.calls:
            owner = _module_of(file, call)
            if owner is None:
                continue
            if name_of_call(call).endswith("dropout") and call.args:
                edits.append(set_keyword(file, call, "training", f"{owner}.training"))
            made = call.func
            if isinstance(made, ast.Call) and name_of_call(made).endswith("Dropout"):
                text = f"{file.segment(made)}.train({owner}.training)"
                edits.append(replacement(file, made, text))
            for keyword in call.keywords:
                if keyword.arg == "dropout_p" and not isinstance(keyword.value, ast.IfExp):
                    text = f"{file.segment(keyword.value)} if {owner}.training else 0.0"
                    edits.append(replacement(file, keyword.value, text))
        yield from rewrite(file, [edit for edit in edits if edit is not None])


def _module_of(file: Source, node: ast.AST) -> str | None:
    """What the method around a part of a file calls its object; None outside of methods of a class
    that is a module's.
    """
    line = getattr(node, "lineno", 0)
    for kind in ast.walk(file.tree):
        if not isinstance(kind, ast.ClassDef):
            continue
        for method in kind.body:
            if (
                isinstance(method, ast.FunctionDef)
                and method.args.args
                and method.lineno <= line <= (method.end_lineno or 0)
                and method.name != "__init__"
            ):
                return method.args.args[0].arg
    return None


def causal_mask(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """Attention sees what came before only."""
    modules = case.network.modules() if case.network is not None else ()
    names = {
        name: child
        for module in modules
        for name, child in module.named_children()
        if isinstance(child, ATTENTIVE)
    }
    for file in files:
        edits = [
            edit
            for call in file.calls
            if (edit := _masked(file, call, names.get(name_of_call(call)))) is not None
        ]
        yield from rewrite(file, edits)


def _masked(file: Source, call: ast.Call, layer: nn.Module | None) -> Edit | None:
    """The edit that gives a call of attention a causal mask."""
    if name_of_call(call) == "scaled_dot_product_attention":
        return set_keyword(file, call, "is_causal", "True")
    owner = _module_of(file, call)
    if not call.args or owner is None or getattr(call.func, "value", None) is None:
        return None
    if layer is None:
        return None
    first = next(layer.modules())
    parts = [p for p in first.modules() if isinstance(p, nn.MultiheadAttention)]
    axis = 1 if parts and parts[0].batch_first else 0
    name = "attn_mask" if isinstance(layer, nn.MultiheadAttention) else "mask"
    if isinstance(layer, nn.TransformerEncoderLayer):
        name = "src_mask"
    prefix = "nn" if "nn.Module" in file.text and "torch.nn.Module" not in file.text else "torch.nn"
    size = f"{enclosed(file, call.args[0])}.shape[{axis}]"
    mask = f"{prefix}.Transformer.generate_square_subsequent_mask({size})"
    return set_keyword(file, call, name, mask)
