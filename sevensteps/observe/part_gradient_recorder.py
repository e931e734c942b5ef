"""Measures how much gradient each part of a loss sends into what several of them share.

In full looks, just before the backward pass: the gradient of each part at the place where
their ways meet, such as what a common body gives to two heads, and no further down.
"""

from __future__ import annotations

import heapq
import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from sevensteps.observe.call import LossTerm
from sevensteps.observe.loss_terms import StepGraph, Total
from sevensteps.observe.meeting import LEAF, MAX_NODES, Edge, find_meeting
from sevensteps.observe.part_gradients import LossPart, PartGradients
from sevensteps.observe.step_recorder import silent_hooks

MAX_PARTS = 8
MAX_NUMBERS = 2**24  # of all gradients together
MAX_PASSES = 4  # backward passes of one step that are measured


@dataclass
class _Measured:
    """What was measured before one backward pass: `products[i][j]` = gᵢ·gⱼ of the gradients of the
    parts. `edges[i]` are the nodes of part i.
    """

    total: Total
    edges: list[list[Edge]]
    terms: list[list[LossTerm]]
    products: list[list[float]]
    place: str
    own: list[str]


class PartGradientRecorder:
    """Measures the gradients of the parts of a step's losses, where `armed`.

    `names` are the parameters' by id, `parts` what `watch.step` was told. `not_seen` says why
    nothing was measured of a loss that has parts.
    """

    def __init__(self) -> None:
        self.names: Mapping[int, str] = {}
        self.parts: Mapping[str, Any] = {}
        self.armed = False
        self.not_seen = ""
        self._hooks = ""  # what runs in a backward pass beside PyTorch
        self._measured: list[_Measured] = []

    def arm(self, full: bool) -> None:
        """Begin a step that is looked at; only in a `full` look something is measured."""
        self.forget()
        self.armed = full

    def forget(self) -> None:
        """Let go of all nodes."""
        self.armed = False
        self.not_seen = self._hooks = ""
        self.parts = {}
        self._measured.clear()

    def note_hook(self) -> None:
        """A hook was registered on a tensor: it would run once more."""
        self._hooks = "tensors of this step have backward hooks"

    def note_forward(self) -> None:
        """Part of a forward pass runs: note whether it will be repeated in the backward pass."""
        if self.armed and not self._hooks and saves_by_hooks():
            self._hooks = "parts of the forward pass are computed again in the backward pass"

    # -- before a backward pass --------------------------------------------------------------------

    def measure(self, loss: Tensor, total: Total) -> None:
        """Measure the gradients of the parts that `loss` is the sum of."""
        if not self.armed or len(self._measured) >= MAX_PASSES or loss.numel() != 1:
            return
        edges, terms = _grouped(total)
        if len(edges) < 2:
            return
        meeting = find_meeting(edges)
        if meeting is None:
            return
        self.not_seen = ""
        reason = self._hooks or meeting.refusal or _refusal(loss)
        if not reason:
            chosen = [edges[i] for i in meeting.parts]
            try:
                products = _products(sent_to_terms(loss, total), chosen, meeting.edges)
            except Exception as failure:  # the training's own backward pass will tell, if it is one
                products, reason = None, f"{type(failure).__name__}: {failure}"[:200]
            if products is not None:
                self._measured.append(
                    _Measured(
                        total,
                        chosen,
                        [terms[i] for i in meeting.parts],
                        products,
                        self._place(meeting.shared),
                        [common_name(self._named(own)) for own in meeting.own],
                    )
                )
        if reason:
            self.not_seen = f"how much gradient each part of the loss sends: {reason}"

    def _named(self, parameters: Iterable[Any]) -> list[str]:
        return [name for p in parameters if (name := self.names.get(id(p))) is not None]

    def _place(self, shared: Sequence[Any]) -> str:
        names = self._named(shared)
        return common_name(names) or common_name(names[:1])

    # -- after the step ----------------------------------------------------------------------------

    def collect(self, graph: StepGraph) -> tuple[PartGradients, ...]:
        """What was measured, by the names in `parts`."""
        gradients = [self._named_parts(one, graph) for one in self._measured]
        return tuple(one for one in gradients if one is not None)

    def _named_parts(self, measured: _Measured, graph: StepGraph) -> PartGradients | None:
        groups = self._groups(measured, graph)
        if len(groups) < 2:
            return None
        g = measured.products
        products = [
            [sum(g[i][j] for i in rows for j in columns) for columns in groups.values()]
            for rows in groups.values()
        ]
        lengths = [math.sqrt(max(row[i], 0.0)) for i, row in enumerate(products)]
        if not all(map(math.isfinite, lengths)):
            return None
        parts = []
        for (name, members), length in zip(groups.items(), lengths, strict=True):
            terms = [term for i in members for term in measured.terms[i]]
            added = [term.contribution for term in terms]
            parts.append(
                LossPart(
                    name,
                    next((term.call for term in terms if term.call is not None), None),
                    None if None in added else math.fsum(a for a in added if a is not None),
                    next((measured.own[i] for i in members if measured.own[i]), ""),
                    length,
                    tuple(sorted({number for term in terms for number in term.passes})),
                )
            )
        cosines = tuple(
            tuple(
                product / (a * b) if a * b > 0 else math.nan
                for product, b in zip(row, lengths, strict=True)
            )
            for row, a in zip(products, lengths, strict=True)
        )
        return PartGradients(measured.place, tuple(parts), cosines)

    def _groups(self, measured: _Measured, graph: StepGraph) -> dict[str, list[int]]:
        """The parts by name: those that `watch.step` was told, and the rest by their function."""
        groups: dict[str, list[int]] = {}
        free = set(range(len(measured.edges)))
        for name, value in self.parts.items():
            nodes = _nodes_below(_node_of(value, graph), measured.total)
            members = [i for i in sorted(free) if any(edge in nodes for edge in measured.edges[i])]
            if members:
                groups[name] = members
                free.difference_update(members)
        for i in sorted(free):
            name = measured.terms[i][0].name
            if measured.own[i]:
                name = f"{name} of {measured.own[i]}"
            same = sum(other == name or other.startswith(f"{name} #") for other in groups)
            groups[f"{name} #{same + 1}" if same else name] = [i]
        return groups


def saves_by_hooks() -> bool:
    """Whether what is saved for a backward pass goes through hooks now, as in a checkpoint; True
    where PyTorch does not say.
    """
    top = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
    return top is None or top(True) is not None


def _grouped(total: Total) -> tuple[list[list[Edge]], list[list[LossTerm]]]:
    """The parts of a loss: its terms without penalties; those that one line computes from the same
    output, as over the steps of a sequence, are one.
    """
    groups: dict[Any, tuple[list[Edge], list[LossTerm]]] = {}
    for index, (term, edge) in enumerate(zip(total.terms, total.edges, strict=True)):
        if term.name != "penalty":
            computed = index if term.call is None else -1
            key = (term.name, computed, term.call, term.network, term.output)
            edges, terms = groups.setdefault(key, ([], []))
            terms.append(term)
            if edge not in edges:
                edges.append(edge)
    few = list(groups.values())[:MAX_PARTS]
    return [edges for edges, _ in few], [terms for _, terms in few]


# -- the gradients ---------------------------------------------------------------------------------


def _refusal(loss: Tensor) -> str:
    """Why PyTorch must not be asked for gradients of our own; "" where it may."""
    if torch.is_anomaly_enabled():
        return "PyTorch's anomaly detection is on"
    if torch.is_deterministic_algorithms_warn_only_enabled():
        return "PyTorch warns of what is not deterministic, and would twice"
    if loss.is_cuda and torch.cuda.is_current_stream_capturing():
        return "the step is captured as a CUDA graph"
    return ""


def sent_to_terms(loss: Tensor, total: Total) -> dict[Edge, Tensor]:
    """The gradient of `loss` by each of its terms, by way of the sum alone: a term that others are
    computed from, such as a network's output, gets from them what is theirs.

    Raises `ValueError` where the terms are not all that the loss is the sum of, as where there are
    more than are read: the way would lead on to the parameters, whose nodes change `.grad`.
    """
    terms = set(total.edges)
    _check_sum(loss.grad_fn, terms)
    sent: dict[Edge, Tensor] = {}
    root: Any = loss.grad_fn
    arriving: dict[Any, dict[int, Tensor]] = {root: {0: torch.ones_like(loss)}}
    heap = [(-root._sequence_nr(), 0, root)]
    with torch.no_grad():
        while heap:
            _, _, node = heapq.heappop(heap)
            gradients = arriving.pop(node)
            for number in [number for number in gradients if (node, number) in terms]:
                _add(sent, (node, number), gradients.pop(number))
            if not gradients:
                continue
            outputs = range(len(node._input_metadata))
            results = node(*(gradients.get(number) for number in outputs))
            results = results if isinstance(results, tuple) else (results,)
            for gradient, (following, number) in zip(results, node.next_functions, strict=True):
                if gradient is None or following is None:
                    continue
                if following not in arriving:
                    arriving[following] = {}
                    heapq.heappush(heap, (-following._sequence_nr(), id(following), following))
                # as PyTorch's engine does between two operations
                like = following._input_metadata[number]
                fitting = gradient.sum_to_size(like.shape).to(like.dtype)
                _add(arriving[following], number, fitting)
    return sent


def _check_sum(root: Any, terms: set[Edge]) -> None:
    waiting: list[Edge] = [(root, 0)]
    visited = set(waiting)
    while waiting:
        edge = waiting.pop()
        if edge in terms:
            continue
        if edge[0]._sequence_nr() == LEAF or len(visited) > MAX_NODES:
            raise ValueError("not all of its parts are known")
        for following in edge[0].next_functions:
            if following[0] is not None and following not in visited:
                visited.add(following)
                waiting.append(following)


def _add(sums: dict[Any, Tensor], key: Any, gradient: Tensor) -> None:
    sums[key] = sums[key] + gradient if key in sums else gradient


def _products(
    sent: Mapping[Edge, Tensor], parts: list[list[Edge]], place: list[Edge]
) -> list[list[float]]:
    """gᵢ·gⱼ of the gradients of the parts at the shared place."""
    # of the function itself, where it is watched too
    gradient_of = inspect.unwrap(torch.autograd.grad)
    inputs = [GradientEdge(*edge) for edge in place]
    gradients = []
    with silent_hooks():
        for edges in parts:
            gradients.append(
                gradient_of(
                    [GradientEdge(*edge) for edge in edges],
                    inputs,
                    [sent[edge] for edge in edges],
                    retain_graph=True,
                    allow_unused=True,
                )
            )
            numbers = sum(g.numel() for g in gradients[-1] if g is not None)
            if numbers * len(parts) > MAX_NUMBERS:
                raise ValueError("what they share is too large")
    products = [[0.0] * len(parts) for _ in parts]
    with torch.no_grad():
        for at in range(len(place)):
            arriving = {i: g[at] for i, g in enumerate(gradients) if g[at] is not None}
            rows = torch.stack([_dense(g) for g in arriving.values()])
            table = (rows @ rows.T).tolist()
            for row, i in enumerate(arriving):
                for column, j in enumerate(arriving):
                    products[i][j] += table[row][column]
    return products


def _dense(gradient: Tensor) -> Tensor:
    return (gradient.to_dense() if gradient.is_sparse else gradient).double().flatten()


# -- names -----------------------------------------------------------------------------------------


def common_name(names: Sequence[str]) -> str:
    """The innermost module that all of these parameters belong to: "body" of "body.0.weight" and
    "body.2.bias"; a parameter of no module is named itself.
    """
    if not names:
        return ""
    modules = [name.split(".")[:-1] for name in names]
    common = modules[0]
    for module in modules[1:]:
        size = next(
            (i for i, (a, b) in enumerate(zip(common, module, strict=False)) if a != b),
            min(len(common), len(module)),
        )
        common = common[:size]
    if len(names) == 1 and not common:
        return names[0]
    return ".".join(common)


def _node_of(value: Any, graph: StepGraph) -> Any:
    """The node that computed a part that was told: by the tensor, or by the number."""
    if isinstance(value, Tensor) and value.grad_fn is not None:
        return value.grad_fn
    number = float(value.detach()) if isinstance(value, Tensor) else float(value)
    same = [node for node, known in graph.numbers.items() if float(known) == number]
    return same[-1] if same else None


def _nodes_below(node: Any, total: Total) -> set[Edge]:
    """The edges of the loss's terms that `node` is the sum of; none of a node that is no part."""
    edges: set[Edge] = set()
    stack: list[Edge] = [] if node is None else [(node, 0)]
    terms, passed = set(total.edges), set()
    while stack:
        edge = stack.pop()
        if edge in terms:
            edges.add(edge)
        elif edge[0] in total.factors and edge not in passed:
            passed.add(edge)
            stack += [following for following in edge[0].next_functions if following[0] is not None]
    return edges
