"""The target of a loss that a training writes itself, as in `((output - y) ** 2).mean()`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sevensteps.observe.loss_graph import operation_name
from sevensteps.observe.loss_terms import StepGraph

MAX_OPERATIONS = 16  # between a loss and the difference that it is computed from
VIEWS = {
    *("View", "Reshape", "ReshapeAlias", "UnsafeView", "Squeeze", "Unsqueeze", "Clone", "Alias"),
    *("ToCopy", "T", "Transpose", "Permute"),
}
# operations that make one number of many differences, or another number of one
ERRORS = VIEWS | {
    *("Pow", "Mul", "Abs", "Sqrt", "Div", "Neg", "Mean", "Sum", "NanMean", "Norm"),
    "LinalgVectorNorm",
}


def difference_of(args: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, int]] | None:
    """Of a subtraction of two tensors of one shape, one of them with a gradient: the other one,
    and where the first was computed (its node and which of its outputs); None for any other.
    """
    if len(args) < 2 or not all(isinstance(value, Tensor) for value in args[:2]):
        return None
    first, second = args[:2]
    output, target = (first, second) if first.grad_fn is not None else (second, first)
    if output.grad_fn is None or target.requires_grad or output.shape != target.shape:
        return None
    return (target, (output.grad_fn, output.output_nr)) if target.ndim else None


def compared_target(loss: Tensor, graph: StepGraph) -> Tensor | None:
    """What the network's output is subtracted from, or what is subtracted from it, where the whole
    loss is computed from that difference; None for any other loss.
    """
    node: Any = loss.grad_fn
    for _ in range(MAX_OPERATIONS):
        if node is None:
            return None
        if (difference := graph.differences.get(node)) is not None:
            target, output = difference
            return target if _is_output(output, graph) else None
        following = {before for before, _ in node.next_functions if before is not None}
        if operation_name(node) not in ERRORS or len(following) != 1:
            return None
        (node,) = following
    return None


def _is_output(place: tuple[Any, int], graph: StepGraph) -> bool:
    """Whether what was computed at `place` is a network's output, or a view of one."""
    for _ in range(MAX_OPERATIONS):
        if place in graph.outputs:
            return True
        node = place[0]
        if node is None or operation_name(node) not in VIEWS:
            return False
        place = node.next_functions[0]
    return False
