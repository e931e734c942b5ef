"""Finds where the ways of several parts of a loss meet in PyTorch's graph."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch.autograd.function import BackwardCFunction

from sevensteps.observe.step_recorder import has_foreign_hooks

MAX_NODES = 3000  # of PyTorch's graph below the parts
MAX_EDGES = 64  # where ways meet
MAX_PARAMETERS = 2  # whose gradient is taken where parts share no more than parameters
LEAF = 2**64 - 1  # PyTorch's number of a node that adds up the gradient of a parameter

Edge = tuple[Any, int]  # a node of PyTorch's graph, and which of its outputs


@dataclass(frozen=True)
class Meeting:
    """Where the ways of several parts meet: at `edges`, of the `parts` with these numbers.

    `shared` are the parameters below, the nearest first, `own[i]` those that only one part trains.
    `refusal` says what forbids to go there.
    """

    edges: list[Edge]
    parts: list[int]
    shared: list[Any]
    own: list[list[Any]]
    refusal: str = ""


def find_meeting(parts: Sequence[Sequence[Edge]]) -> Meeting | None:
    """Where the ways of most parts meet on their way to parameters; None where none do.

    Goes down PyTorch's graph once, the latest operation first, and marks which parts come by.
    """
    marks: dict[Any, int] = {}
    leaves: dict[Any, int] = {}
    ways: list[tuple[Any, Edge]] = []  # from node to edge
    heap: list[tuple[int, int, Any]] = []

    def go(node: Any, edge: Edge, mark: int) -> None:
        following = edge[0]
        ways.append((node, edge))
        number = following._sequence_nr()
        if number == LEAF:
            leaves[following] = leaves.get(following, 0) | mark
            return
        if following not in marks:
            heapq.heappush(heap, (-number, len(ways), following))
        marks[following] = marks.get(following, 0) | mark

    for index, edges in enumerate(parts):
        for edge in edges:
            go(None, edge, 1 << index)
    budget = MAX_NODES
    while heap and budget:
        budget -= 1
        _, _, node = heapq.heappop(heap)
        for following, number in node.next_functions:
            if following is not None:
                go(node, (following, number), marks[node])
    several = [mark for mark in leaves.values() if mark.bit_count() > 1]
    if not several:
        return None
    together = max(several, key=int.bit_count)
    members = [index for index in range(len(parts)) if together >> index & 1]

    def is_shared(node: Any) -> bool:
        return marks.get(node, 0) & together == together

    entries = {edge: None for node, edge in ways if is_shared(edge[0]) and not is_shared(node)}
    below = _below(list(entries), ways, is_shared)
    edges = [edge for edge in entries if edge[0] not in below][:MAX_EDGES]
    shared = [leaf for leaf, mark in leaves.items() if mark & together == together]
    if not edges:
        edges = [(leaf, 0) for leaf in shared[:MAX_PARAMETERS]]
    own = [
        [leaf.variable for leaf, mark in leaves.items() if mark & together == 1 << index]
        for index in members
    ]
    refusal = ""
    between = {node for node in marks if marks[node] & together and not is_shared(node)}
    if any(isinstance(node, BackwardCFunction) for node in between | {edge[0] for edge in edges}):
        refusal = "a function with a backward pass of its own, or a compiled one, lies between"
    elif any(has_foreign_hooks(edge[0].variable) for edge in edges if hasattr(edge[0], "variable")):
        refusal = "parameters have backward hooks"
    return Meeting(edges, members, [leaf.variable for leaf in shared], own, refusal)


def _below(edges: list[Edge], ways: list[tuple[Any, Edge]], is_shared: Any) -> set[Any]:
    """The nodes that lie below others of the `edges`."""
    if len(edges) < 2:
        return set()
    following: dict[Any, list[Any]] = {}
    for node, edge in ways:
        if node is not None and is_shared(node) and is_shared(edge[0]):
            following.setdefault(node, []).append(edge[0])
    below: set[Any] = set()
    stack = [node for edge in edges for node in following.get(edge[0], ())]
    while stack:
        node = stack.pop()
        if node not in below:
            below.add(node)
            stack += following.get(node, ())
    return below
