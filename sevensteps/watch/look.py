"""One look at a network in training: what every layer, unit and parameter did in one step, as numbers.

A look only reads. Its tensors are small copies: one number per unit, and a few rows of input, output and target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sevensteps.watch.facts import BOUNDS, LayerFacts

NUMBERS = 32_000  # of a layer's output that a full look reads: enough for every mean, and PyTorch wakes no second thread for them
FEW = 8_000  # of those that any other look reads
ROWS = 512  # of the output, targets and slopes that are kept, with at most `NUMBERS` numbers
FLAT = 0.01  # share of an activation's range from its end where it counts as saturated: a sigmoid's slope is below .01 there


@dataclass
class Signal:
    """A layer's output over the samples of one step, per unit [U]: mean, standard deviation, share of positive numbers (`firing`),
    share within 1 % of the ends of an activation that saturates (`flat`), and √Σ (dL/dy)² over the samples (`gradient`).

    `low` and `high` are the least and largest number; `rank` the effective number of directions that vary (on some looks).
    """

    mean: Tensor
    std: Tensor
    firing: Tensor
    low: Tensor
    high: Tensor
    flat: Tensor | None = None
    gradient: Tensor | None = None
    rank: Tensor | None = None
    calls: int = 1


@dataclass
class Change:
    """A parameter in one step, per row of its matrix [U] (of a vector as a whole, [1]): length of weights, gradient and true update."""

    weight: Tensor
    gradient: Tensor | None = None
    update: Tensor | None = None
    distinct: int | None = None  # rows that differ from each other (on some looks)


@dataclass
class Look:
    """One step as it was seen. `output`, `target` and `slope` = dL/d(output) are rows of the batch, as the loss had them.

    `batch` is the number of samples; `lr` the learning rate of each group; `left` the length of the gradient that was still there
    when the backward pass began (0: cleared), `training` the network's mode, `stepped` whether an optimizer moved the parameters.
    """

    step: int
    loss: float
    lr: tuple[float, ...] = ()
    batch: int = 0
    training: bool = True
    left: float | None = None
    backwards: int = 1
    stepped: bool = True
    seconds: float = 0.0  # since watching began
    signals: dict[str, Signal] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    output: Tensor | None = None
    target: Tensor | None = None
    slope: Tensor | None = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)  # of input, output and target, whole


def signals(seen: dict[str, tuple[list[Tensor], list[Tensor]]], layers: dict[str, LayerFacts], full: bool = False) -> dict[str, Signal]:
    """What each layer's calls `seen[name] = (outputs, gradients)` say per unit. Layers of one shape are measured together."""
    most = NUMBERS if full else FEW
    outputs = {name: y for name, (ys, _) in seen.items() if (y := _rows(ys, layers[name].axis, most)) is not None}
    gradients = {name: g for name, (_, gs) in seen.items() if name in outputs and (g := _rows(gs, layers[name].axis, most)) is not None
                 and g.shape[1] == outputs[name].shape[1]}
    found: dict[str, Signal] = {}
    for names, y in _alike(outputs):
        mean = y.mean(1)  # these forms, because `var_mean`, `aminmax` and comparisons to bool take ten times as long
        std = (apart := y - mean[:, None]).mul_(apart).mean(1).sqrt_()
        firing = torch.gt(y, 0, out=apart).mean(1)
        calls = [len(seen[name][0]) for name in names]
        parts = (column.unbind() for column in (mean, std, firing, y.amin((1, 2)), y.amax((1, 2))))
        for name, count, numbers in zip(names, calls, zip(*parts, strict=True), strict=True):
            found[name] = Signal(*numbers)
            found[name].calls = count
    for names, g in _alike(gradients):
        for name, length in zip(names, (g * g).sum(1).sqrt_().unbind(), strict=True):
            found[name].gradient = length
    for name, y in outputs.items():
        if (bounds := BOUNDS.get(layers[name].activation or "")) is not None:
            near = (bounds[1] - bounds[0]) * FLAT
            found[name].flat = ((y < bounds[0] + near) | (y > bounds[1] - near)).mean(0, dtype=torch.float32)
        if full:
            found[name].rank = rank(y)
    return {name: found[name] for name in outputs}


def changes(parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], before: Mapping[str, Tensor],
            full: bool = False) -> dict[str, Change]:
    """What one step did to the parameters: as they are now, their gradients, and they as they were `before`. By row, together by shape."""
    found: dict[str, Change] = {}
    for names, w in _alike({name: _matrix(p) for name, p in parameters.items()}):
        found.update({name: Change(length) for name, length in zip(names, torch.linalg.vector_norm(w, dim=2).unbind(), strict=True)})
        if full and w.shape[1] > 1:
            for name, rows in zip(names, w, strict=True):
                found[name].distinct = distinct(rows)
        if old := [_matrix(before[name]) for name in names if name in before]:
            moved = torch.linalg.vector_norm(w - _stacked(old), dim=2) if len(old) == len(names) else w[:0]
            for name, length in zip(names, moved.unbind(), strict=False):
                found[name].update = length
    for names, g in _alike({name: _matrix(g) for name, g in gradients.items() if name in parameters and not g.is_sparse}):
        for name, length in zip(names, torch.linalg.vector_norm(g, dim=2).unbind(), strict=True):
            found[name].gradient = length
    return {name: found[name] for name in parameters}


def _alike(tensors: dict[str, Tensor]) -> list[tuple[list[str], Tensor]]:
    """The tensors of each shape, with their names, as one: each operation then runs once for all of them."""
    groups: dict[Any, list[str]] = {}
    for name, tensor in tensors.items():
        groups.setdefault((tensor.shape, tensor.dtype, tensor.device), []).append(name)
    return [(names, _stacked([tensors[name] for name in names])) for names in groups.values()]


def _stacked(tensors: list[Tensor]) -> Tensor:
    return tensors[0][None] if len(tensors) == 1 else torch.stack(tensors)


def _matrix(parameter: Tensor) -> Tensor:
    """[U, F]: a row for each unit; a vector is one row."""
    held = parameter.detach()
    return held if held.ndim == 2 else held.flatten(1) if held.ndim > 2 else held.reshape(1, -1)


def distinct(rows: Tensor) -> int:
    """How many rows of a matrix [U, F] differ: told by their product with one fixed irregular vector, then exactly where two agree."""
    probe = torch.sin(torch.arange(1, rows.shape[1] + 1, device=rows.device, dtype=torch.float64)).to(rows.dtype)
    if len(torch.unique(rows @ probe)) == len(rows):
        return len(rows)
    return len(torch.unique(rows, dim=0))


def rank(y: Tensor) -> Tensor:
    """Effective rank of centred outputs [N, U]: exp of the entropy of their squared singular values, as shares.

    Source: Roy, Vetterli 2007, The effective rank, with squared singular values.
    """
    some = y[:256, :256].float()
    share = torch.linalg.svdvals(torch.nan_to_num(some - some.mean(0), 0.0, 0.0, 0.0)).square()
    total = share.sum()
    share = share / total.clamp_min(1e-30)
    return torch.where(total > 0, torch.special.entr(share).sum().exp(), torch.zeros(()).to(total))


def some_rows(tensor: Any) -> Tensor | None:
    """A copy on the CPU of the first rows of a batch, no more than can be kept."""
    if not isinstance(tensor, Tensor) or tensor.ndim == 0 or len(tensor) == 0:
        return None
    each = max(tensor.numel() // len(tensor), 1)
    return tensor.detach()[:max(1, min(ROWS, NUMBERS // each))].to("cpu", copy=True)


def _rows(tensors: list[Tensor], axis: int, most: int) -> Tensor | None:
    """[rows, U]: samples and positions in rows, units in columns, about `most` numbers, but at least 8 samples."""
    kept = []
    for t in tensors:
        if not t.is_floating_point() or t.ndim == 0 or t.numel() == 0:
            continue
        t = t.detach()
        if t.numel() > most:
            t = t[:max(8, most * len(t) // t.numel())]
        if t.ndim == 1:
            t = t[:, None]
        at = axis if axis < 0 or axis < t.ndim else -1
        t = t if at in (-1, t.ndim - 1) else t.movedim(at, -1)
        kept.append(t.reshape(-1, t.shape[-1]))
    same = [t for t in kept if t.shape[1] == kept[0].shape[1]]
    if not same:
        return None
    y = same[0] if len(same) == 1 else torch.cat(same)
    return y if y.dtype in (torch.float32, torch.float64) else y.float()
