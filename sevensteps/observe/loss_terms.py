"""The terms of a loss, read off PyTorch's graph with the calls that were noted on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from sevensteps.observe.call import LossTerm
from sevensteps.observe.loss_graph import (
    WEIGHTED_OPERATIONS,
    Operation,
    operation_name,
    read_operation,
)

MAX_NODES = 1000  # of the sums and products that a loss is made of
MAX_TERMS = 32
MAX_PATH_NODES = 500  # from a term to the output that it is computed from
MAX_ENDING = 8  # operations between a network's last weights and its output
# operations that pass a loss on, one number for another, or take the mean or sum of many
PASSING = {
    *("View", "Reshape", "ReshapeAlias", "UnsafeView", "Squeeze", "Unsqueeze", "Clone", "ToCopy"),
    *("Alias", "Expand", "Mean", "Sum", "T", "Transpose", "Permute", "Select", "Slice", "Index"),
    *("Gather", "IndexSelect", "MaskedSelect", "MaskedFill", "Where", "Stack", "Cat", "Unbind"),
    *("Split", "TakeAlongDim", "Repeat", "NanMean", "Nansum", "Cumsum"),
}
# operations of penalties on the parameters
PENALTY = PASSING | {
    *("Pow", "Abs", "Norm", "LinalgVectorNorm", "Sqrt", "Mul", "Div", "Add", "Sub", "Neg", "Sgn"),
    "ForeachNorm",
}
SCALER = "GradScaler.scale"


@dataclass
class StepGraph:
    """What is known about the nodes of PyTorch's graph in one step.

    `calls` are nodes that a loss function returned: (index of the call, its name, the nodes of its
    inputs, where its target comes from); `places` nodes computed by a distribution's method;
    `numbers` single numbers; `outputs` the networks' outputs: (network, path in its output);
    `differences` between a tensor without a gradient and one with: the former, and where the latter
    was computed; `passes` the number of the forward pass that a node went into, or came out of. The
    nodes are kept alive, which the identity of a node rests on.
    """

    calls: dict[Any, tuple[int, str, tuple[Any, ...], str | None]] = field(default_factory=dict)
    places: dict[Any, str] = field(default_factory=dict)
    numbers: dict[Any, Tensor] = field(default_factory=dict)
    outputs: dict[tuple[Any, int], tuple[str, str]] = field(default_factory=dict)
    differences: dict[Any, tuple[Tensor, tuple[Any, int]]] = field(default_factory=dict)
    passes: dict[Any, int] = field(default_factory=dict)

    def network_behind(self, call: Any) -> str | None:
        """The network whose output the loss function that returned the node `call` was given; None
        of several, and of none.
        """
        reached = _search(None, self, self.calls[call][2])
        networks = {network for network, _ in reached.outputs.values()}
        return networks.pop() if len(networks) == 1 else None

    def forget(self) -> None:
        """Let go of all nodes."""
        for nodes in (
            self.calls,
            self.places,
            self.numbers,
            self.outputs,
            self.differences,
            self.passes,
        ):
            nodes.clear()


@dataclass
class Total:
    """The terms of what one backward pass began at, with the node that each ends at and which of
    its outputs; `factors` of the nodes on the way to them.
    """

    terms: list[LossTerm]
    factors: dict[Any, float | None]
    edges: list[tuple[Any, int]] = field(default_factory=list)


def read_terms(root: Any, graph: StepGraph, total: int = 0) -> Total:
    """The terms of the loss whose node of PyTorch's graph is `root`."""
    terms: list[LossTerm] = []
    edges: list[tuple[Any, int]] = []
    factors: dict[Any, float | None] = {}
    # (node, its output, factor, what is known to be added, operations on the way)
    stack: list[tuple[Any, int, float | None, float | None, tuple[Operation, ...]]] = [
        (root, 0, 1.0, None, ())
    ]
    budget = MAX_NODES
    while stack and budget and len(terms) < MAX_TERMS:
        budget -= 1
        node, number, factor, added, way = stack.pop()
        factors.setdefault(node, factor)
        if added is None and factor is not None and node in graph.numbers:
            added = factor * float(graph.numbers[node].item())
        following = None
        if (node, number) not in graph.outputs and node not in graph.calls:
            following = _parts(node, graph)
        if following is None:
            term = _term(node, number, graph)
            if term.name == "penalty" and (same := _penalty_of(terms)) is not None:
                whole = terms[same]
                both = None not in (added, whole.contribution)
                terms[same] = replace(
                    whole,
                    count=whole.count + 1,
                    contribution=whole.contribution + added if both else None,  # type: ignore[operator]
                )
                continue
            if term.weighting:  # something lies between that is no sum and no product
                factor = None
            weighting = (*term.weighting, *reversed(way))
            edges.append((node, number))
            terms.append(
                replace(term, factor=factor, contribution=added, total=total, weighting=weighting)
            )
            continue
        parts, operation = following
        alone = len(parts) == 1
        for part, part_number, times in reversed(parts):
            stack.append(
                (
                    part,
                    part_number,
                    None if factor is None or times is None else factor * times,
                    added if alone else None,
                    way if operation is None else (*way, operation),
                )
            )
    return Total(terms, factors, edges)


def _penalty_of(terms: list[LossTerm]) -> int | None:
    return next((i for i, term in enumerate(terms) if term.name == "penalty"), None)


def _parts(
    node: Any, graph: StepGraph
) -> tuple[list[tuple[Any, int, float | None]], Operation | None] | None:
    """What `node` adds up: [(node, its output, factor)], and the operation where it is more than
    that; None where it does something else.
    """
    if graph.places.get(node, SCALER) != SCALER:
        return None
    name = operation_name(node)
    inputs = [(following, number) for following, number in node.next_functions if following]
    if not inputs:
        return None
    if name in PASSING:
        return [(*part, 1.0) for part in inputs], read_operation(node)
    if name == "Neg":
        return [(*inputs[0], -1.0)], None
    if name in ("Add", "Sub", "Rsub"):
        sign = -1.0 if name != "Add" else 1.0
        alpha = _number(node, "_saved_alpha")
        scaled = None if alpha is None else sign * alpha
        times_each = (scaled, 1.0) if name == "Rsub" else (1.0, scaled)
        whole = node.next_functions
        return [
            (following, number, times)
            for (following, number), times in zip(whole, times_each, strict=False)
            if following is not None
        ], None
    if name in ("Mul", "Div") and len(inputs) == 1:
        if name == "Div" and node.next_functions[0][0] is None:
            return None  # a number divided by it
        if graph.places.get(node) == SCALER:
            return [(*inputs[0], 1.0)], None
        other = _saved(node, "_saved_other")
        other = _saved(node, "_saved_self") if other is None else other
        if other is None:
            return [(*inputs[0], None)], None
        if other.numel() != 1:
            return [(*inputs[0], 1.0)], Operation(_weights(name, other))
        value = float(other.item())
        times = value if name == "Mul" else 1 / value if value else None
        return [(*inputs[0], times)], None
    return None


def _weights(name: str, numbers: Tensor) -> str:
    """ "MaskMul" for a product with zeros and ones, "SignedMul" for one with negative numbers."""
    numbers = numbers.detach()
    if bool((numbers < 0).any()):
        return f"Signed{name}"
    return f"Mask{name}" if bool(((numbers == 0) | (numbers == 1)).all()) else name


def _saved(node: Any, name: str) -> Tensor | None:
    try:
        value = getattr(node, name, None)
    except RuntimeError:  # freed with the backward pass
        return None
    return value if isinstance(value, Tensor) else None


def _number(node: Any, name: str) -> float | None:
    try:
        value = getattr(node, name, 1)
        return float(value)
    except (RuntimeError, TypeError, ValueError):
        return None


def _term(node: Any, number: int, graph: StepGraph) -> LossTerm:
    """The term that ends at `node`."""
    if (node, number) in graph.outputs:
        network, path = graph.outputs[node, number]
        return LossTerm(
            "output", None, network=network, output=path, sources=(f"{network}:{path}",),
            ending=_ending(node),
        )  # fmt: skip
    between: tuple[Operation, ...] = ()
    start, call = node, graph.calls.get(node)
    if call is None:
        # a loss that something is done to, such as a root, is still that loss
        reached = _search(node, graph)
        if len({graph.calls[one][0] for one in reached.calls}) == 1:
            start = reached.calls[0]
            call, between = graph.calls[start], reached.path_to(start)
    if call is not None:
        index, name, inputs, target = call
        reached = _search(None, graph, inputs)
    else:
        index, target = None, None
        name = graph.places.get(node) or ("penalty" if reached.penalty else operation_name(node))
    sources = tuple(
        dict.fromkeys(f"{network}:{path}" for network, path in reached.outputs.values())
    )
    passes = tuple(sorted(reached.passes))
    if call is None and _is_square_of_difference(node, graph):
        target = "data"
    if not reached.outputs:
        return LossTerm(
            name, index, sources=sources, target=target, weighting=between, passes=passes
        )
    first = next(iter(reached.outputs))
    network, path = reached.outputs[first]
    return LossTerm(
        name,
        index,
        network=network,
        output=path,
        sources=sources,
        ending=_ending(first[0]),
        operations=reached.path_to(first[0]),
        weighting=between,
        target=target,
        passes=passes,
    )


def _is_square_of_difference(node: Any, graph: StepGraph) -> bool:
    """Whether a term is the size of what is left between outputs and numbers that are data."""
    below = [following for following, _ in node.next_functions if following is not None]
    if operation_name(node) not in ("Pow", "Abs") or len(below) != 1:
        return False
    return below[0] in graph.differences


@dataclass
class _Reached:
    """What lies behind a node: outputs of networks, loss calls, and how to come there."""

    outputs: dict[tuple[Any, int], tuple[str, str]] = field(default_factory=dict)
    calls: list[Any] = field(default_factory=list)
    penalty: bool = True  # only parameters, and what penalties are made of
    parents: dict[Any, Any] = field(default_factory=dict)
    passes: set[int] = field(default_factory=set)

    def path_to(self, node: Any) -> tuple[Operation, ...]:
        """The operations from `node` (without it) to where the search began."""
        path, current = [], self.parents.get(node)
        while current is not None:
            path.append(read_operation(current))
            current = self.parents.get(current)
        return tuple(path)


def _search(root: Any, graph: StepGraph, starts: tuple[Any, ...] = ()) -> _Reached:
    """Breadth first from `root`, or from the inputs of a loss, up to the networks' outputs."""
    reached = _Reached()
    queue: deque[tuple[Any, int]] = deque([(root, 0)] if root is not None else starts)
    seen = {node for node, _ in queue}
    for node in seen:
        reached.parents[node] = None
    while queue and len(seen) < MAX_PATH_NODES:
        node, number = queue.popleft()
        if node in graph.passes:
            reached.passes.add(graph.passes[node])
        if (node, number) in graph.outputs:
            reached.outputs.setdefault((node, number), graph.outputs[node, number])
            reached.penalty = False
            continue
        if node in graph.calls:
            reached.calls.append(node)
            reached.penalty = False
            if root is not None:
                continue
        if getattr(node, "variable", None) is None and operation_name(node) not in PENALTY:
            reached.penalty = False
        for following, following_number in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                reached.parents[following] = node
                queue.append((following, following_number))
    return reached


def _ending(node: Any) -> tuple[Operation, ...]:
    """The operations from the last ones with weights to the output that `node` computed."""
    ending: list[Operation] = []
    for _ in range(MAX_ENDING):
        if node is None or getattr(node, "variable", None) is not None:
            break
        if operation_name(node).startswith(WEIGHTED_OPERATIONS):
            break
        ending.append(read_operation(node))
        node = node.next_functions[0][0] if node.next_functions else None
    return tuple(reversed(ending))


def terms_of(totals: Sequence[Total], repeats: Sequence[int], loss: Any) -> tuple[LossTerm, ...]:
    """The terms of all `totals`, each of which came so often, as those of the `loss` (a node) that
    the training reports.
    """
    terms = []
    for total, count in zip(totals, repeats, strict=True):
        factor = total.factors.get(loss, 1.0)
        for term in total.terms:
            if factor is not None and factor not in (0.0, 1.0):
                scaled = [
                    None if n is None else n / factor for n in (term.factor, term.contribution)
                ]
                term = replace(term, factor=scaled[0], contribution=scaled[1])
            terms.append(replace(term, count=term.count * count))
    return tuple(terms)
