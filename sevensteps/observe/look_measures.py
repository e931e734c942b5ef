"""What a look measures: signals of layers and changes of parameters, from the tensors of one step.

It only reads. Small copies are made in the step; the numbers come of them later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sevensteps.engine.activations import Activation
from sevensteps.observe.later import FlatCopies, LazyDict
from sevensteps.observe.look import Change, Signal
from sevensteps.observe.network_facts import LayerFacts

# numbers that a full look reads of a layer's output: enough for every mean, and PyTorch wakes no
# second thread for them
FULL_LOOK_NUMBERS = 32_000
QUICK_LOOK_NUMBERS = 4_000  # that any other look reads
LOOK_NUMBERS = 600_000  # that a look reads of all layers together; of each at least a quick look's
# of the output, targets and output gradients in a look, with at most `FULL_LOOK_NUMBERS` numbers
MAX_ROWS = 512
# share of an activation's range from its end where it counts as saturated: a sigmoid's derivative
# is below .01 there
SATURATION_MARGIN = 0.01
ROUNDING = 1e-6  # of their products, within which rows are equal


def measure_signals(
    calls: Mapping[str, tuple[list[Tensor], list[Tensor]]],
    layers: Mapping[str, LayerFacts],
    full: bool = False,
) -> Mapping[str, Signal]:
    """What each layer gave, per unit, from its calls: `calls[name] = (outputs, output gradients)`.

    Rows are copied now, and measured when somebody asks; layers of one shape together.
    """
    limit = QUICK_LOOK_NUMBERS
    if full:
        limit = max(limit, min(FULL_LOOK_NUMBERS, LOOK_NUMBERS // max(2 * len(calls), 1)))
    outputs, gradients = (
        {
            name: y
            for name, call in calls.items()
            if (y := _unit_columns(call[which], layers[name].axis, limit)) is not None
        }
        for which in (0, 1)
    )
    counts = {name: len(calls[name][0]) for name in outputs}
    functions = {name: layers[name].function for name in outputs}
    copies = FlatCopies(outputs), FlatCopies(gradients)

    def compute() -> dict[str, Signal]:
        outputs, gradients = (
            {name: _precise(y) for name, y in copy.tensors().items()} for copy in copies
        )
        signals: dict[str, Signal] = {}
        for names, y in _stack_by_shape(outputs):
            mean = y.mean(1)
            std = (y - mean[:, None]).square_().mean(1).sqrt_()
            firing = (y > 0).mean(1, dtype=y.dtype)
            columns = (mean, std, firing, y.amin((1, 2)), y.amax((1, 2)))
            for name, numbers in zip(
                names, zip(*(column.unbind() for column in columns), strict=True), strict=True
            ):
                signals[name] = Signal(*numbers)
        own = {
            name: g
            for name, g in gradients.items()
            if name in outputs and g.shape[1] == outputs[name].shape[1]
        }
        for names, g in _stack_by_shape(own):
            for name, norm in zip(names, torch.linalg.vector_norm(g, dim=1).unbind(), strict=True):
                signals[name].gradient = norm
        for name, y in outputs.items():
            signals[name].calls = counts[name]
            signals[name].flat = _flat(y, functions[name])
            signals[name].rank = effective_rank(y) if full else None
        return {name: signals[name] for name in outputs}

    return LazyDict(compute, copies[0].size + copies[1].size)


def _flat(y: Tensor, function: Activation) -> Tensor | None:
    """The share of outputs [N, U] near the ends of an activation that saturates, per unit."""
    if not function.saturates or function.output_range is None:
        return None
    lowest, highest = function.output_range
    margin = (highest - lowest) * SATURATION_MARGIN
    saturated = (y < lowest + margin) | (y > highest - margin)
    return saturated.mean(0, dtype=torch.float32)


def measure_changes(
    parameters: Mapping[str, Tensor],
    gradients: FlatCopies | Mapping[str, Tensor],
    before: FlatCopies,
    full: bool = False,
) -> Mapping[str, Change]:
    """What one step did to the parameters, by row: from them as they are now, their gradients, and
    them as they were `before`. They are copied now, and measured when somebody asks; parameters of
    one shape together.
    """
    if not isinstance(gradients, FlatCopies):
        gradients = FlatCopies(gradients)
    copies = FlatCopies(parameters), gradients, before

    def compute() -> dict[str, Change]:
        now, slopes, old = (copy.tensors() for copy in copies)
        return _changes(now, slopes, old, full)

    return LazyDict(compute, sum(copy.size for copy in copies))


def _changes(
    parameters: dict[str, Tensor],
    gradients: dict[str, Tensor],
    before: dict[str, Tensor],
    full: bool,
) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    for names, w in _stack_by_shape({name: _matrix(p) for name, p in parameters.items()}):
        old = [_matrix(before[name]) for name in names if name in before]
        updates = (
            torch.linalg.vector_norm(w - _stack(old), dim=2) if len(old) == len(names) else None
        )
        weights = torch.linalg.vector_norm(w, dim=2)
        for index, name in enumerate(names):
            changes[name] = Change(
                weights[index],
                None,
                None if updates is None else updates[index],
                count_distinct_rows(w[index]) if full and w.shape[1] > 1 else None,
            )
    known = {name: g for name, g in gradients.items() if name in parameters}
    for name, g in known.items():
        if g.is_sparse:
            changes[name].gradient = _sparse_row_norms(g)
    dense = {name: _matrix(g) for name, g in known.items() if not g.is_sparse}
    for names, g in _stack_by_shape(dense):
        for name, norm in zip(names, torch.linalg.vector_norm(g, dim=2).unbind(), strict=True):
            changes[name].gradient = norm
    return {name: changes[name] for name in parameters}


def measure_flat_changes(
    now: Tensor,
    gradient: Tensor,
    before: Tensor,
    slices: Mapping[str, tuple[slice, tuple[int, ...]]],
    full: bool = False,
) -> Mapping[str, Change]:
    """What one step did to parameters that lie in one vector [P], as an engine's do; `slices` says
    where each is, and its shape.
    """
    vectors = torch.stack([now, gradient, before])

    def compute() -> dict[str, Change]:
        changes = {}
        for name, (columns, shape) in slices.items():
            rows = vectors[:, columns].view(3, shape[0] if len(shape) > 1 else 1, -1)
            distinct = count_distinct_rows(rows[0]) if full and rows.shape[1] > 1 else None
            lengths = torch.linalg.vector_norm(rows[:2], dim=2)
            update = torch.linalg.vector_norm(rows[0] - rows[2], dim=1)
            changes[name] = Change(lengths[0], lengths[1], update, distinct)
        return changes

    return LazyDict(compute, vectors.nbytes)


def _stack_by_shape(tensors: dict[str, Tensor]) -> list[tuple[list[str], Tensor]]:
    """The tensors of each shape, with their names, as one: each operation then runs once for all of
    them.
    """
    groups: dict[Any, list[str]] = {}
    for name, tensor in tensors.items():
        groups.setdefault((tensor.shape, tensor.dtype, tensor.device), []).append(name)
    return [(names, _stack([tensors[name] for name in names])) for names in groups.values()]


def _stack(tensors: list[Tensor]) -> Tensor:
    return tensors[0][None] if len(tensors) == 1 else torch.stack(tensors)


def _matrix(parameter: Tensor) -> Tensor:
    """[U, F]: a row for each unit; a vector is one row."""
    p = parameter.detach()
    if p.dtype in (torch.bfloat16, torch.float16):
        p = p.float()  # lengths of half precision would be rounded away
    return p if p.ndim == 2 else p.flatten(1) if p.ndim > 2 else p.reshape(1, -1)


def _sparse_row_norms(gradient: Tensor) -> Tensor:
    """The length of each row of a sparse matrix [U, F]."""
    gradient = gradient.detach().coalesce()
    rows, numbers = gradient.indices()[0], gradient.values().float()
    squares = numbers.reshape(len(rows), -1).square().sum(1)
    return torch.zeros(gradient.shape[0]).to(squares).index_add_(0, rows, squares).sqrt_()


def count_distinct_rows(rows: Tensor) -> int:
    """How many rows of a matrix [U, F] differ by more than rounding: by their products with two
    fixed irregular vectors, both of which are alike for rows that are.
    """
    places = torch.arange(1, rows.shape[1] + 1, device=rows.device, dtype=torch.float64)
    probes = torch.stack([torch.sin(places), torch.cos(places.square())], 1)
    products = rows @ probes.to(rows.dtype)
    products = products[products[:, 0].argsort()].double()
    apart = (products[1:] - products[:-1]).abs()
    size = torch.maximum(products[1:].abs(), products[:-1].abs())  # not that of the largest row
    return 1 + int((~(apart <= ROUNDING * size)).any(1).sum())  # what is no number is alike to none


def effective_rank(y: Tensor) -> Tensor:
    """Effective rank of centred outputs [N, U]: exp of the entropy of their squared singular
    values, as shares.

    Source: Roy, Vetterli 2007, The effective rank, with squared singular values.
    """
    block = torch.nan_to_num(y[:256, :256].double(), 0.0, 0.0, 0.0)
    block = block - block.mean(0)
    # the eigenvalues of the smaller product are the squares, and take a third of the time
    product = block.T @ block if block.shape[1] <= block.shape[0] else block @ block.T
    share = torch.linalg.eigvalsh(product).clamp_min(0.0)
    total = share.sum()
    share = share / total.clamp_min(1e-30)
    rank = torch.where(total > 0, torch.special.entr(share).sum().exp(), torch.zeros_like(total))
    return rank.to(y.dtype)


def first_rows(tensor: Any) -> Tensor | None:
    """A copy on the CPU of the first rows of a batch, no more than a look may hold; None for
    anything but a batch.
    """
    if not isinstance(tensor, Tensor) or tensor.ndim == 0 or len(tensor) == 0:
        return None
    each = max(tensor.numel() // len(tensor), 1)
    return tensor.detach()[: max(1, min(MAX_ROWS, FULL_LOOK_NUMBERS // each))].to("cpu", copy=True)


def _unit_columns(tensors: list[Tensor], axis: int, limit: int) -> Tensor | None:
    """[rows, U]: samples and positions in rows, units in columns, about `limit` numbers, but at
    least 8 samples.
    """
    if len(tensors) == 1 and axis == -1:
        (t,) = tensors
        if t.ndim == 2 and (count := t.numel()) and t.is_floating_point():
            if count <= limit:
                return t  # as most are
            rows = t.shape[0]
            return t.narrow(0, 0, min(rows, max(8, limit * rows // count)))
    matrices = []
    limit = limit // max(len(tensors), 1)
    for t in tensors:
        if not t.is_floating_point() or t.ndim == 0 or t.numel() == 0:
            continue
        if t.numel() > limit:
            t = t[: max(8, limit * len(t) // t.numel())]
        if t.ndim == 1:
            t = t[:, None]
        unit_axis = axis if axis < 0 or axis < t.ndim else -1
        t = t if unit_axis in (-1, t.ndim - 1) else t.movedim(unit_axis, -1)
        matrices.append(t.reshape(-1, t.shape[-1]))
    same = [t for t in matrices if t.shape[1] == matrices[0].shape[1]]
    if not same:
        return None
    return same[0] if len(same) == 1 else torch.cat(same)


def _precise(y: Tensor) -> Tensor:
    return y if y.dtype in (torch.float32, torch.float64) else y.float()
