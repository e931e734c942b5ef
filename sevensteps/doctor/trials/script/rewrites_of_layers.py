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
from sevensteps.observe.structure import tensors_of

WITH_AXES = ("softmax", "log_softmax", "normalize", "Softmax", "LogSoftmax")
BATCH_FIRST = (
    *("RNN", "LSTM", "GRU", "MultiheadAttention", "Transformer"),
    *("TransformerEncoderLayer", "TransformerDecoderLayer"),
)
MASKS: dict[type[nn.Module], str] = {  # the argument for the mask of each
    nn.TransformerEncoder: "mask",
    nn.TransformerEncoderLayer: "src_mask",
    nn.TransformerDecoder: "tgt_mask",
    nn.TransformerDecoderLayer: "tgt_mask",
    nn.MultiheadAttention: "attn_mask",
}
LIBRARIES = ("torch", "F", "torch.nn.functional", "nn.functional")


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
    """Attention sees what came before only: that of PyTorch, or a softmax that is written out."""
    modules = case.network.modules() if case.network is not None else ()
    names = {
        name: child
        for module in modules
        for name, child in module.named_children()
        if isinstance(child, tuple(MASKS))
    }
    masked = False
    for file in files:
        edits = [
            edit
            for call in file.calls
            if (edit := _masked(file, call, names.get(name_of_call(call)))) is not None
        ]
        masked = masked or bool(edits)
        yield from rewrite(file, edits)
    for file in files if not masked else ():
        yield from rewrite(file, list(_masked_softmaxes(file)))


def _masked_softmaxes(file: Source) -> Iterator[Edit]:
    """The edits that keep the softmaxes over the last axis in the methods of modules from what
    comes later.
    """
    for call in file.calls:
        if name_of_call(call) != "softmax" or _module_of(file, call) is None:
            continue
        axes = [ast.unparse(k.value) for k in call.keywords if k.arg == "dim"]
        axes += [ast.unparse(a) for a in call.args[-1:]]
        function = call.func.value if isinstance(call.func, ast.Attribute) else None
        library = function is None or ast.unparse(function) in LIBRARIES
        scores = call.args[0] if library and call.args else function
        if scores is not None and {"-1", "2", "3"} & set(axes):
            text = enclosed(file, scores)
            later = f"torch.ones_like({file.segment(scores)}).triu(1).bool()"
            yield replacement(file, scores, f"{text}.masked_fill({later}, -1e9)")


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
    name = next(name for kind, name in MASKS.items() if isinstance(layer, kind))
    prefix = "nn" if "nn.Module" in file.text and "torch.nn.Module" not in file.text else "torch.nn"
    size = f"{enclosed(file, call.args[0])}.shape[{axis}]"
    mask = f"{prefix}.Transformer.generate_square_subsequent_mask({size})"
    return set_keyword(file, call, name, mask)


def padding_index(case: Case) -> int | None:
    """The number that ends most sequences; 0 of those with several numbers in each step."""
    tensors = tensors_of(case.examples[0]).values() if case.examples is not None else ()
    for x in tensors:
        if x.ndim == 2 and not x.is_floating_point():
            return int(x[:, -1].mode().values)
        if x.ndim == 3:
            return 0
    return None


def real_steps(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """Attention does not see the padding of a network's tokens, and means leave it out."""
    padding = padding_index(case)
    if padding is None or case.network is None:
        return
    names = {
        name
        for module in case.network.modules()
        for name, child in module.named_children()
        if isinstance(child, nn.TransformerEncoder | nn.TransformerEncoderLayer)
    }
    for file in files:
        edits = []
        for call in file.calls:
            tokens = _tokens_of(file, call)
            if tokens is None:
                continue
            if name_of_call(call) in names:
                mask = f"{tokens} == {padding}"
                edits.append(set_keyword(file, call, "src_key_padding_mask", mask))
            edits.append(_real_mean(file, call, f"({tokens} != {padding})"))
        yield from rewrite(file, [edit for edit in edits if edit is not None])


def _real_mean(file: Source, call: ast.Call, real: str) -> Edit | None:
    """The edit of a mean over the steps that makes it one over those that are `real`."""
    axes = [ast.unparse(a) for a in (*call.args, *(k.value for k in call.keywords))]
    if name_of_call(call) != "mean" or axes != ["1"] or not isinstance(call.func, ast.Attribute):
        return None
    total = f"({enclosed(file, call.func.value)} * {real}[..., None]).sum(1)"
    return replacement(file, call, f"{total} / {real}.sum(1, keepdim=True).clamp(min=1)")


def _tokens_of(file: Source, node: ast.AST) -> str | None:
    """What the `forward` around a part of a file calls its input; None elsewhere."""
    line = getattr(node, "lineno", 0)
    for method in ast.walk(file.tree):
        if isinstance(method, ast.FunctionDef) and method.name == "forward":
            inside = method.lineno <= line <= (method.end_lineno or 0)
            if inside and len(method.args.args) == 2:
                return method.args.args[1].arg
    return None
