"""Other words on lines where gradients are lost, clipped or no numbers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.script.base import Intervention
from sevensteps.doctor.trials.script.of_source import (
    NOTHING,
    Edit,
    enclosed,
    replacement,
    rewrite,
)
from sevensteps.doctor.trials.script.source import Source, name_of_call

SMALL = "1e-08"
OUT_OF_THE_GRAPH = ("tensor", "as_tensor", "from_numpy", "Tensor", "FloatTensor")
METHODS_OUT_OF_IT = ("detach", "numpy", "cpu", "tolist", "item")


def within_the_graph(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """The detours by which an output leaves the graph are left out, and so is what silences the
    error that comes of it.
    """
    if not any(m.source in LOST or m.observed in LOST for m in finding.evidence):
        return
    for file in files:
        edits = []
        for node in _outermost(file, _leaves_graph):
            inner = _inside(node)
            edits.append(replacement(file, node, file.segment(inner)))
        if not edits:
            continue
        for statement in ast.walk(file.tree):
            if isinstance(statement, ast.Assign) and file.segment(statement.targets[0]).endswith(
                ".requires_grad"
            ):
                edits.append(replacement(file, statement, NOTHING))
        yield from rewrite(file, edits)


LOST = ("no graph behind the loss", "not in the loss's graph")


def _outermost(file: Source, wanted: Callable[[ast.expr], bool]) -> Iterator[ast.expr]:
    """The wanted parts of what a file assigns, returns or calculates with gradients."""
    pending: list[ast.AST] = [file.tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.With) and "no_grad" in file.segment(node.items[0].context_expr):
            continue
        if isinstance(node, ast.Call) and name_of_call(node) in ("print", "append", "float"):
            continue
        if isinstance(node, ast.AugAssign):  # a sum that is kept for later
            continue
        if isinstance(node, ast.expr) and wanted(node):
            yield node
        else:
            pending.extend(ast.iter_child_nodes(node))


def _leaves_graph(node: ast.expr) -> bool:
    """Whether something is taken out of the graph here: a copy of numbers in a list is not."""
    leaves = False
    while (inner := _step_inside(node)) is not None:
        name = name_of_call(node) if isinstance(node, ast.Call) else "data"
        leaves = leaves or name in ("data", "detach", "item")
        node = inner
    return leaves


def _inside(node: ast.expr) -> ast.expr:
    """What is taken out of the graph, as `x` of `torch.tensor(x.detach().numpy())`."""
    while (inner := _step_inside(node)) is not None:
        node = inner
    return node


def _step_inside(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Attribute) and node.attr == "data":
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in METHODS_OUT_OF_IT and not node.args:
            return node.func.value
        if node.func.attr in OUT_OF_THE_GRAPH and len(node.args) == 1:
            return node.args[0]
    return None


def finite(case: Case, finding: Finding, files: list[Source]) -> Iterator[Intervention]:
    """A small number where an operation has no slope or no value, and no row that is all masked."""
    line, cause = str(finding.where.get("line", "")), finding.where.get("cause")
    if cause == "masked":
        yield from _unmasked(files)
        return
    make = SAFE.get(str(cause))
    if make is None:
        return
    edits: dict[str, tuple[Source, list[Edit]]] = {}
    for file, node in _expressions_at(files, line):
        edit = make(file, node)
        if edit is not None:
            edits.setdefault(str(file.path), (file, []))[1].append(edit)
    for file, own in edits.values():
        yield from rewrite(file, own)


def _expressions_at(files: list[Source], place: str) -> Iterator[tuple[Source, ast.expr]]:
    name, _, number = place.rpartition(":")
    for file in files:
        if file.path.name != name:
            continue
        for node in ast.walk(file.tree):
            if isinstance(node, ast.expr) and node.lineno <= int(number) <= (node.end_lineno or 0):
                yield file, node
        return


def _argument(node: ast.expr, *names: str) -> ast.expr | None:
    """What a function of these names is called on, as `x` of `torch.sqrt(x)` or `x.sqrt()`."""
    if not isinstance(node, ast.Call) or name_of_call(node) not in names:
        return None
    function = node.func
    library = isinstance(function, ast.Name) or (
        isinstance(function, ast.Attribute)
        and ast.unparse(function.value) in ("torch", "F", "torch.linalg", "torch.nn.functional")
    )
    if library:
        return node.args[0] if node.args else None
    return function.value if isinstance(function, ast.Attribute) else None


def _root(file: Source, node: ast.expr) -> Edit | None:
    x = _argument(node, "sqrt", "rsqrt", "norm", "vector_norm")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        power = node.right.value if isinstance(node.right, ast.Constant) else None
        x = node.left if isinstance(power, float) and not power.is_integer() else None
    return None if x is None else replacement(file, x, f"({enclosed(file, x)} + {SMALL})")


def _log(file: Source, node: ast.expr) -> Edit | None:
    x = _argument(node, "log", "log2", "log10")
    return None if x is None else replacement(file, x, f"({file.segment(x)}).clamp(min={SMALL})")


def _arc(file: Source, node: ast.expr) -> Edit | None:
    x = _argument(node, "acos", "asin", "arccos", "arcsin")
    text = "" if x is None else f"({file.segment(x)}).clamp(-0.9999999, 0.9999999)"
    return None if x is None else replacement(file, x, text)


def _division(file: Source, node: ast.expr) -> Edit | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        below = node.right
        if not isinstance(below, ast.Constant):
            return replacement(file, below, f"({enclosed(file, below)} + {SMALL})")
    return _root(file, node)


def _exponential(file: Source, node: ast.expr) -> Edit | None:
    x = _argument(node, "exp")
    return None if x is None else replacement(file, x, f"({file.segment(x)}).clamp(max=20.0)")


SAFE: dict[str, Callable[[Source, ast.expr], Edit | None]] = {
    "root": _root,
    "log": _log,
    "arc": _arc,
    "division": _division,
    "exponential": _exponential,
}


def _unmasked(files: list[Source]) -> Iterator[Intervention]:
    """No row is masked as a whole: a large negative number stands for minus infinity, and a mask of
    keys leaves a row open that has nothing else.
    """
    for file in files:
        edits = []
        for call in file.calls:
            for keyword in call.keywords:
                if keyword.arg in ("key_padding_mask", "src_key_padding_mask"):
                    mask = f"({file.segment(keyword.value)})"
                    text = f"{mask} & ~{mask}.all(1, keepdim=True)"
                    edits.append(replacement(file, keyword.value, text))
        for node in ast.walk(file.tree):
            if isinstance(node, ast.expr) and ast.unparse(node) in INFINITE:
                edits.append(replacement(file, node, "-1e9"))
        yield from rewrite(file, edits)


INFINITE = ("float('-inf')", "-float('inf')", "-math.inf", "-np.inf", "-torch.inf", "-inf")


def unscaled_before_clipping(
    case: Case, finding: Finding, files: list[Source]
) -> Iterator[Intervention]:
    """Scaled gradients are unscaled before they are clipped."""
    for file in files:
        calls = file.calls
        clips = [c for c in calls if name_of_call(c).startswith("clip_grad_")]
        scales = [c.func for c in calls if name_of_call(c) == "scale"]
        scalers = [file.segment(f.value) for f in scales if isinstance(f, ast.Attribute)]
        steps = [
            call
            for call in calls
            if name_of_call(call) == "step"
            and call.args
            and isinstance(call.func, ast.Attribute)
            and file.segment(call.func.value) in scalers
        ]
        if not clips or not steps or any(name_of_call(c) == "unscale_" for c in calls):
            continue
        text = f"{scalers[0]}.unscale_({file.segment(steps[0].args[0])}); "
        line, column, _, _ = replacement(file, clips[0], "")
        yield from rewrite(file, [(line, column, "", text)])
