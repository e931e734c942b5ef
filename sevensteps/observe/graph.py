"""What PyTorch recorded between the loss and the parameters: the operations behind the loss, and
which parameters it reaches.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sevensteps.engine.activations import ACTIVATIONS

NODES = 20_000  # operations looked at; deeper graphs are read up to here
HEAD = 40  # operations from the loss that are kept
WEIGHTS = (
    "Addmm",
    "Mm",
    "Bmm",
    "Baddbmm",
    "Convolution",
    "Mkldnn",
    "Linear",
    "Embedding",
)  # operations with weights begin so
THROUGH = {
    "View",
    "Reshape",
    "ReshapeAlias",
    "UnsafeView",
    "Transpose",
    "T",
    "Permute",
    "MaxPool2DWithIndices",
    "MaxPool1D",
    "AvgPool2D",
    "AdaptiveAvgPool2D",
    "Mean",
    "NativeDropout",
    "Squeeze",
    "Unsqueeze",
    "Clone",
    "ToCopy",
    "Alias",
    "Expand",
    "Slice",
    "Mul",
    "Div",
}
FUNCTIONS = {operation: row.name for row in ACTIVATIONS.values() for operation in row.operations}


@dataclass(frozen=True)
class Op:
    """One operation: PyTorch's name without its ending (`LogSoftmax`, `NllLoss`, `Mean`), and its axis or reduction where it has one."""

    name: str
    dim: int | None = None
    reduction: int | None = None


@dataclass(frozen=True)
class Graph:
    """`head`: the operations from the loss down to the first with weights; `outside` of them lie between loss and network output
    (None: unknown). `reached`: names of the parameters that the loss depends on; `whole`: whether all of the graph was read.
    """

    head: tuple[Op, ...]
    outside: int | None
    reached: frozenset[str]
    whole: bool


def read(loss: Any, output: Any, names: dict[int, str]) -> Graph | None:
    """The graph behind `loss`, with the parameters named by `names` (id -> name); None where
    nothing was recorded.
    """
    if not isinstance(loss, Tensor) or loss.grad_fn is None:
        return None
    last = output.grad_fn if isinstance(output, Tensor) else None
    head: list[Op] = []
    reached: set[str] = set()
    outside: int | None = None
    closed = False
    queue: deque[Any] = deque([loss.grad_fn])
    seen = {loss.grad_fn}
    while queue and len(seen) < NODES:
        node = queue.popleft()
        if (variable := getattr(node, "variable", None)) is not None:
            reached.add(names.get(id(variable), "?"))
            continue
        name = operation(node)
        if node is last and not closed:
            outside = len(head)
        closed = closed or name.startswith(WEIGHTS)
        if not closed and len(head) < HEAD:
            head.append(Op(name, _setting(node, "_saved_dim"), _setting(node, "_saved_reduction")))
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                queue.append(following)
    return Graph(tuple(head), outside, frozenset(reached), not queue)


def operation(node: Any) -> str:
    """`LogSoftmaxBackward0` -> `LogSoftmax`"""
    name: str = node.name()
    return name.partition("Backward")[0].rpartition("::")[2] or name


def function_before(x: Tensor, known: set[Any]) -> str | None:
    """The activation function that made `x`, looking through views, pooling and dropout; None where
    none did, or a `known` operation.
    """
    node: Any = x.grad_fn
    for _ in range(6):
        if node is None or node in known:
            return None
        name = operation(node)
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        if name not in THROUGH:
            return None
        node = node.next_functions[0][0] if node.next_functions else None
    return None


def _setting(node: Any, name: str) -> int | None:
    try:
        value = getattr(node, name, None)
    except RuntimeError:  # freed with the backward pass
        return None
    if not isinstance(value, int):
        return None
    return value - 2**64 if value >= 2**63 else value  # PyTorch hands -1 back as unsigned
