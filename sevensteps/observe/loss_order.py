"""In which order a loss reads a network's output: which numbers it takes for the classes of one
answer, and whether it pairs answers and targets by their places.

A `view` where a `permute` is meant keeps every number and raises nothing. The operations between
the network and the loss are undone in thought, on the places of a few numbers; no number is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sevensteps.observe.loss_graph import operation_name

MAX_OPERATIONS = 24  # between a loss and the layer that it is computed from
ROWS = 64  # answers that are followed back
CLASSES = 256  # numbers of each
SAME_PLACES = {  # operations that leave every number where it is, whatever its shape
    *("View", "UnsafeView", "Reshape", "ReshapeAlias", "Squeeze", "Unsqueeze", "Clone", "Alias"),
    *("ToCopy", "LogSoftmax", "Softmax", "Sigmoid", "LogSigmoid", "Contiguous"),
}
MOVES_AXES = {"Transpose", "Permute", "T", "Movedim"}
FEATURES_LAST = ("Addmm", "Mm", "Linear")  # what computes features, and on which axis they lie
FEATURES_SECOND = ("Convolution", "MkldnnConvolution", "SlowConv")
PER_CLASS = ("cross_entropy", "nll_loss")
Stage = tuple[tuple[int, ...], Tensor, Any]  # shape, places [rows, classes], the operation before


def order_of(name: str, output: Any, target: Any) -> dict[str, Any]:
    """How the loss `name` reads its output: "order.classes", the shape of the layer whose numbers
    it mixes; "order.rows", the shapes of the output and the target that it pairs by other places.
    Empty where both are right, or cannot be told.
    """
    if not isinstance(output, Tensor) or not isinstance(target, Tensor) or not output.numel():
        return {}
    per_class = name in PER_CLASS and output.ndim > 1
    if per_class and _is_of_features(output) and _layout(target) is None:
        return {}  # as most are
    places = _some_places(tuple(output.shape), 1 if per_class else None)
    stages = list(_undone(tuple(output.shape), places, output.grad_fn))
    found: dict[str, Any] = {}
    if per_class and (mixed := _mixes_classes(stages)) is not None:
        found["order.classes"] = list(mixed)
    rows = math.prod(output.shape) // (output.shape[1] if per_class else 1)
    if rows == target.numel() and (pairs := _pairs_apart(stages, target)) is not None:
        found["order.rows"] = [list(shape) for shape in pairs]
    return found


def _is_of_features(output: Tensor) -> bool:
    """Whether a layer has just computed the classes of each answer as its features."""
    name = "" if output.grad_fn is None else operation_name(output.grad_fn)
    return name.startswith(FEATURES_LAST if output.ndim == 2 else FEATURES_SECOND)


def _some_places(shape: tuple[int, ...], classes: int | None) -> Tensor:
    """The flat places of some answers, each with those of its classes. [rows, classes]"""
    every = torch.Size(shape)
    if classes is None:
        count = every.numel()
        return torch.linspace(0, count - 1, min(count, ROWS)).long()[:, None]
    rest = (*shape[:classes], *shape[classes + 1 :])
    count = math.prod(rest)
    rows = _coordinates(torch.linspace(0, count - 1, min(count, ROWS)).long(), rest)
    chosen = torch.arange(min(shape[classes], CLASSES))
    axes = [axis[:, None].expand(-1, len(chosen)) for axis in rows]
    axes.insert(classes, chosen[None].expand(len(rows[0]), -1))
    return _places(axes, shape)


def _undone(shape: tuple[int, ...], places: Tensor, node: Any) -> Iterator[Stage]:
    """What the loss reads, and the same before each operation, back to the layer that computed
    it.
    """
    for _ in range(MAX_OPERATIONS):
        yield shape, places, node
        name = operation_name(node) if node is not None else ""
        if name in MOVES_AXES:
            order = _order_of_axes(node, name, len(shape))
            if order is None:
                return
            moved = _coordinates(places, shape)
            before = [0] * len(order)
            axes = list(moved)
            for new, old in enumerate(order):
                before[old], axes[old] = shape[new], moved[new]
            shape, places = tuple(before), _places(axes, tuple(before))
        elif name in SAME_PLACES:
            saved = getattr(node, "_saved_self_sym_sizes", None)
            if name == "Unsqueeze":
                axis = _signed(node._saved_dim) % len(shape)
                saved = (*shape[:axis], *shape[axis + 1 :])
            if saved is not None:
                shape = tuple(int(size) for size in saved)
        else:
            return
        node = node.next_functions[0][0]


def _order_of_axes(node: Any, name: str, ndim: int) -> list[int] | None:
    """The axes before an operation that moves them, in the order after it."""
    order = list(range(ndim))
    if name == "T":
        return order[::-1]
    if name == "Transpose":
        one, other = (_signed(dim) % ndim for dim in (node._saved_dim0, node._saved_dim1))
        order[one], order[other] = order[other], order[one]
        return order
    if name == "Permute":
        return [_signed(dim) % ndim for dim in node._saved_dims]
    return None


def _signed(number: int) -> int:
    """A negative axis, which PyTorch hands out as one without a sign."""
    return number - 2**64 if number >= 2**63 else number


def _coordinates(places: Tensor, shape: tuple[int, ...]) -> list[Tensor]:
    axes = []
    for size in reversed(shape):
        axes.append(places % size)
        places = places // size
    return axes[::-1]


def _places(axes: list[Tensor], shape: tuple[int, ...]) -> Tensor:
    places = torch.zeros_like(axes[0])
    for axis, size in zip(axes, shape, strict=True):
        places = places * size + axis
    return places


def _mixes_classes(stages: list[Stage]) -> tuple[int, ...] | None:
    """The shape of what a layer computed, if the numbers that the loss takes for one answer lie
    neither along its features nor along whole axes.
    """
    shape, places, node = stages[-1]
    name = operation_name(node) if node is not None else ""
    if name.startswith(FEATURES_LAST) and len(stages) > 1 and stages[-2][0][-1:] == shape[-1:]:
        shape, places, _ = stages[-2]  # a linear layer works on rows, and views them as its input
    if not name or len(shape) < 2:
        return None
    features = (
        len(shape) - 1
        if name.startswith(FEATURES_LAST)
        else 1
        if name.startswith(FEATURES_SECOND)
        else None
    )
    counts, spans = [], []  # of each axis, by row: how many of its places there are, and how far
    for axis in _coordinates(places, shape):
        ordered = axis.sort(1).values
        counts.append((1 + (ordered[:, 1:] != ordered[:, :-1]).sum(1)).tolist())
        spans.append((ordered[:, -1] - ordered[:, 0]).tolist())
    mixed = 0
    for count, span in zip(zip(*counts, strict=True), zip(*spans, strict=True), strict=True):
        varying = [axis for axis, different in enumerate(count) if different > 1]
        if not varying or varying == [features]:
            continue
        # a choice among all places, as a pointer makes it, or heads that were joined
        whole = all(count[axis] == shape[axis] for axis in varying)
        product = math.prod(count) == places.shape[1]
        (one, *more) = varying
        run = features is None and not more and span[one] == count[one] - 1
        if not (whole and product) and not run:
            mixed += 1
    return shape if mixed > len(places) / 2 else None


def _pairs_apart(
    stages: list[Stage], target: Tensor
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The shapes of output and target before both were laid out in a row, if their places are
    then paired otherwise: [T, B] beside [B, T]. Not where both sizes are one.
    """
    layout = _layout(target)
    if layout is None or layout[0] == layout[1]:
        return None
    read, rows = stages[0][0], stages[0][1]
    for shape, places, _ in stages:
        if len(shape) < 2 or sorted(shape[:2]) != sorted(layout):
            continue
        if math.prod(shape[:2]) != target.numel():
            continue
        if len(shape) > 2 and math.prod(shape[2:]) != math.prod(read) // target.numel():
            continue
        first = _coordinates(places[:, 0], shape)[:2]
        if shape[:2] != layout:
            first.reverse()
        wanted = _coordinates(_row_of(rows[:, 0], read, target), layout)
        if all(torch.equal(a, b) for a, b in zip(first, wanted, strict=True)):
            return None
        return tuple(shape), layout
    return None


def _row_of(places: Tensor, shape: tuple[int, ...], target: Tensor) -> Tensor:
    """The target's number beside each place of the output as the loss reads it."""
    if math.prod(shape) == target.numel():
        return places
    axes = _coordinates(places, shape)
    return _places([axes[0], *axes[2:]], (shape[0], *shape[2:]))


def _layout(target: Tensor) -> tuple[int, int] | None:
    """The two axes of the targets before they were laid out in a row; None for any others."""
    base = target._base
    if target.ndim != 1 and not (target.ndim == 2 and target.shape[1] == 1):
        return None
    if base is None or base.ndim not in (2, 3) or not target.is_contiguous():
        return None
    if base.ndim == 3 and base.shape[2] != 1:
        return None
    length = base.shape[1]
    if not base.is_contiguous() or not length or target.numel() % length:
        return None
    if target.storage_offset() % length or target.numel() == length:
        return None
    return target.numel() // length, length
