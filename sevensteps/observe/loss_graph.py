"""What PyTorch recorded behind the loss: its operations, and the parameters it depends on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sevensteps.engine.activations import ACTIVATIONS

MAX_NODES = 20_000  # that are read of a graph; deeper ones are read up to here
MAX_OPERATIONS = 40  # from the loss downwards, that are remembered
# how the names of operations with weights begin
WEIGHTED_OPERATIONS = (
    "Addmm",
    "Mm",
    "Bmm",
    "Baddbmm",
    "Convolution",
    "Mkldnn",
    "Linear",
    "Embedding",
)
PASS_THROUGH_OPERATIONS = {
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
ACTIVATION_OPERATIONS = {
    operation: activation.name
    for activation in ACTIVATIONS.values()
    for operation in activation.operations
}


@dataclass(frozen=True)
class Operation:
    """One operation: PyTorch's name without its ending (`LogSoftmax`, `NllLoss`, `Mean`), and its
    axis or reduction where it has one.
    """

    name: str
    dim: int | None = None
    reduction: int | None = None


@dataclass(frozen=True)
class LossGraph:
    """What lies behind a loss.

    `operations` are those from the loss down to the first with weights; the first `after_output` of
    them lie between the network's output and the loss (None: unknown). `reached` names the
    parameters that the loss depends on; `complete` says whether all of the graph was read.
    """

    operations: tuple[Operation, ...]
    after_output: int | None
    reached: frozenset[str]
    complete: bool


def read_loss_graph(loss: Any, output: Any, names: dict[int, str]) -> LossGraph | None:
    """The graph behind `loss`, its parameters named by `names` (id -> name); None where PyTorch
    recorded nothing. `output` is the network's, or its node of the graph.
    """
    if not isinstance(loss, Tensor) or loss.grad_fn is None:
        return None
    output_node = output.grad_fn if isinstance(output, Tensor) else output
    operations: list[Operation] = []
    reached: set[str] = set()
    after_output: int | None = None
    weights_reached = False
    queue: deque[Any] = deque([loss.grad_fn])
    visited = {loss.grad_fn}
    while queue and len(visited) < MAX_NODES:
        node = queue.popleft()
        if (variable := getattr(node, "variable", None)) is not None:
            reached.add(names.get(id(variable), "?"))
            continue
        name = operation_name(node)
        if node is output_node and not weights_reached:
            after_output = len(operations)
        weights_reached = weights_reached or name.startswith(WEIGHTED_OPERATIONS)
        if not weights_reached and len(operations) < MAX_OPERATIONS:
            operations.append(read_operation(node))
        for following, _ in node.next_functions:
            if following is not None and following not in visited:
                visited.add(following)
                queue.append(following)
    return LossGraph(tuple(operations), after_output, frozenset(reached), not queue)


def read_operation(node: Any) -> Operation:
    """The operation that a node of PyTorch's graph stands for: "SignedMul" and "SignedDiv" are by
    one number that is negative, "Rsub" is also a difference from a constant tensor, "LogSoftmax"
    also numbers less the logarithm of the sum of their exponentials.
    """
    dim, reduction = _setting(node, "_saved_dim"), _setting(node, "_saved_reduction")
    name = operation_name(node)
    if name in ("Mul", "Div") and _turns_sign(node):
        name = f"Signed{name}"
    elif name == "Sub" and node.next_functions[0][0] is None:
        name = "Rsub"
    elif name == "Sub" and _is_log_softmax(node):
        name = "LogSoftmax"
    return Operation(name, dim, reduction)


def _is_log_softmax(node: Any) -> bool:
    """Whether a difference is numbers less their own logsumexp, as `Categorical` writes it."""
    if len(node.next_functions) != 2:
        return False
    numbers, total = (following for following, _ in node.next_functions)
    for _ in range(3):
        if total is None or operation_name(total) == "Logsumexp":
            break
        total = total.next_functions[0][0] if len(total.next_functions) == 1 else None
    if total is None or operation_name(total) != "Logsumexp":
        return False
    return total.next_functions[0][0] is numbers


def _turns_sign(node: Any) -> bool:
    """Whether a product or quotient is with one negative number."""
    if sum(following is not None for following, _ in node.next_functions) != 1:
        return False
    try:
        factor = getattr(node, "_saved_other", None)
    except RuntimeError:  # freed with the backward pass
        return False
    return isinstance(factor, Tensor) and factor.numel() == 1 and float(factor) < 0


def operation_name(node: Any) -> str:
    """The name of a node of PyTorch's graph without its ending: `LogSoftmaxBackward0` ->
    `LogSoftmax`.
    """
    name: str = node.name()
    return name.partition("Backward")[0].rpartition("::")[2] or name


def activation_before(x: Tensor, known: set[Any]) -> str | None:
    """The activation function that computed `x`, looking through views, pooling and dropout.

    None where there is none, or where a node that is `known` comes first.
    """
    node: Any = x.grad_fn
    for _ in range(6):
        if node is None or node in known:
            return None
        name = operation_name(node)
        if name in ACTIVATION_OPERATIONS:
            return ACTIVATION_OPERATIONS[name]
        if name not in PASS_THROUGH_OPERATIONS:
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
