"""One look at a network in training: what every layer, unit and parameter did in one step, as
numbers.

A look only reads. Its tensors are small copies: one number per unit, and a few rows of input,
output and target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from sevensteps.observe.network_facts import LayerFacts

T = TypeVar("T")
# of a layer's output that a full look reads: enough for every mean, and PyTorch wakes no second
# thread for them
NUMBERS = 32_000
FEW = 4_000  # of those that any other look reads
ROWS = 512  # of the output, targets and slopes that are kept, with at most `NUMBERS` numbers
# share of an activation's range from its end where it counts as saturated: a sigmoid's slope is
# below .01 there
FLAT = 0.01


@dataclass
class Signal:
    """A layer's output over the samples of one step, per unit [U]: mean, standard deviation, share of positive numbers (`firing`),
    share within 1 % of the ends of an activation that saturates (`flat`), and √Σ (dL/dy)² over the samples (`gradient`).

    `low` and `high` are the least and largest number; `rank` the effective number of directions
    that vary (on some looks)."""

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

    `batch` is the number of samples; `lr` the learning rate of each group; `left` the length of the
    gradient that was still there when the backward pass began (0: cleared), `training` the
    network's mode, `stepped` whether an optimizer moved the parameters."""

    step: int
    loss: float
    lr: tuple[float, ...] = ()
    batch: int = 0
    training: bool = True
    left: float | None = None
    backwards: int = 1
    stepped: bool = True
    seconds: float = 0.0  # since watching began
    signals: Mapping[str, Signal] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    output: Tensor | None = None
    target: Tensor | None = None
    slope: Tensor | None = None
    shapes: dict[str, tuple[int, ...]] = field(
        default_factory=dict
    )  # of input, output and target, whole


class Later(Mapping[str, T]):
    """A dictionary that is made when somebody first reads it: in the training itself, a look should cost as little as it can."""

    def __init__(self, make: Callable[[], dict[str, T]]) -> None:
        self._make: Callable[[], dict[str, T]] | None = make
        self._held: dict[str, T] = {}

    @property
    def _made(self) -> dict[str, T]:
        if self._make is not None:
            self._held, self._make = self._make(), None
        return self._held

    def __getitem__(self, name: str) -> T:
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def signals(
    seen: dict[str, tuple[list[Tensor], list[Tensor]]],
    layers: dict[str, LayerFacts],
    full: bool = False,
) -> Mapping[str, Signal]:
    """What each layer's calls `seen[name] = (outputs, gradients)` say per unit. Layers of one shape
    are measured together.
    """
    most = NUMBERS if full else FEW
    outputs = {
        name: y
        for name, (ys, _) in seen.items()
        if (y := _rows(ys, layers[name].axis, most)) is not None
    }
    gradients = {
        name: g
        for name, (_, gs) in seen.items()
        if name in outputs
        and (g := _rows(gs, layers[name].axis, most)) is not None
        and g.shape[1] == outputs[name].shape[1]
    }
    calls = {name: len(seen[name][0]) for name in outputs}
    measured: list[tuple[list[str], tuple[Tensor, ...]]] = []
    slopes: list[tuple[list[str], Tensor]] = []
    for names, y in _alike(outputs):
        mean = y.mean(
            1
        )  # these forms, because `var_mean`, `aminmax` and comparisons to bool take ten times as long
        std = (apart := y - mean[:, None]).mul_(apart).mean(1).sqrt_()
        firing = torch.gt(y, 0, out=apart).mean(1)
        measured.append((names, (mean, std, firing, y.amin((1, 2)), y.amax((1, 2)))))
    for names, g in _alike(gradients):
        slopes.append((names, torch.linalg.vector_norm(g, dim=1)))
    flats: dict[str, Tensor] = {}
    for name, y in outputs.items():
        function = layers[name].function
        if function.saturates and function.output_range is not None:
            low, high = function.output_range
            near = (high - low) * FLAT
            flats[name] = ((y < low + near) | (y > high - near)).mean(0, dtype=torch.float32)
    ranks = {name: rank(y) for name, y in outputs.items()} if full else {}
    order = list(outputs)

    def make() -> dict[str, Signal]:
        found = {
            name: Signal(*numbers)
            for names, columns in measured
            for name, numbers in zip(
                names, zip(*(column.unbind() for column in columns), strict=True), strict=True
            )
        }
        for names, lengths in slopes:
            for name, length in zip(names, lengths.unbind(), strict=True):
                found[name].gradient = length
        for name in order:
            found[name].calls, found[name].flat, found[name].rank = (
                calls[name],
                flats.get(name),
                ranks.get(name),
            )
        return {name: found[name] for name in order}

    return Later(make)


def changes(
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    before: Mapping[str, Tensor],
    full: bool = False,
) -> Mapping[str, Change]:
    """What one step did to the parameters: as they are now, their gradients, and they as they were
    `before`. By row, together by shape.
    """
    weights: list[tuple[list[str], Tensor, Tensor | None]] = []
    differing: dict[str, int] = {}
    for names, w in _alike({name: _matrix(p) for name, p in parameters.items()}):
        if full and w.shape[1] > 1:
            differing |= {name: distinct(rows) for name, rows in zip(names, w, strict=True)}
        old = [_matrix(before[name]) for name in names if name in before]
        moved = (
            torch.linalg.vector_norm(w - _stacked(old), dim=2) if len(old) == len(names) else None
        )
        weights.append((names, torch.linalg.vector_norm(w, dim=2), moved))
    slopes = [
        (names, torch.linalg.vector_norm(g, dim=2))
        for names, g in _alike(
            {
                name: _matrix(g)
                for name, g in gradients.items()
                if name in parameters and not g.is_sparse
            }
        )
    ]
    order = list(parameters)

    def make() -> dict[str, Change]:
        found: dict[str, Change] = {}
        for names, lengths, moved in weights:
            for index, name in enumerate(names):
                found[name] = Change(
                    lengths[index],
                    None,
                    None if moved is None else moved[index],
                    differing.get(name),
                )
        for names, lengths in slopes:
            for name, length in zip(names, lengths.unbind(), strict=True):
                found[name].gradient = length
        return {name: found[name] for name in order}

    return Later(make)


def flat_changes(
    now: Tensor,
    gradient: Tensor,
    before: Tensor,
    slices: Mapping[str, tuple[slice, tuple[int, ...]]],
    full: bool = False,
) -> Mapping[str, Change]:
    """`changes` of parameters that lie in one vector [P], as an engine's do; `slices` says where
    each is, and its shape.
    """
    three = torch.stack([now, gradient, now - before])
    rows = {
        name: three[:, place].view(3, shape[0] if len(shape) > 1 else 1, -1)
        for name, (place, shape) in slices.items()
    }
    lengths = {name: torch.linalg.vector_norm(held, dim=2) for name, held in rows.items()}
    differing = (
        {name: distinct(held[0]) for name, held in rows.items() if held.shape[1] > 1}
        if full
        else {}
    )
    return Later(
        lambda: {
            name: Change(length[0], length[1], length[2], differing.get(name))
            for name, length in lengths.items()
        }
    )


def _alike(tensors: dict[str, Tensor]) -> list[tuple[list[str], Tensor]]:
    """The tensors of each shape, with their names, as one: each operation then runs once for all of
    them.
    """
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
    """How many rows of a matrix [U, F] differ: told by their product with one fixed irregular
    vector, then exactly where two agree.
    """
    probe = torch.sin(
        torch.arange(1, rows.shape[1] + 1, device=rows.device, dtype=torch.float64)
    ).to(rows.dtype)
    if len(torch.unique(rows @ probe)) == len(rows):
        return len(rows)
    return len(torch.unique(rows, dim=0))


def rank(y: Tensor) -> Tensor:
    """Effective rank of centred outputs [N, U]: exp of the entropy of their squared singular
    values, as shares.

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
    return tensor.detach()[: max(1, min(ROWS, NUMBERS // each))].to("cpu", copy=True)


def _rows(tensors: list[Tensor], axis: int, most: int) -> Tensor | None:
    """[rows, U]: samples and positions in rows, units in columns, about `most` numbers, but at
    least 8 samples.
    """
    kept = []
    for t in tensors:
        if not t.is_floating_point() or t.ndim == 0 or t.numel() == 0:
            continue
        t = t.detach()
        if t.numel() > most:
            t = t[: max(8, most * len(t) // t.numel())]
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
