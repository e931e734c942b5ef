"""One look: what every layer, unit and parameter did in one step of a training, as numbers.

A look only reads. Its tensors are small copies: one number per unit, and a few rows of input,
output and target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.network_facts import LayerFacts, prefix_of
from sevensteps.observe.part_gradients import PartGradients
from sevensteps.observe.step_account import StepAccount

T = TypeVar("T")
# numbers that a full look reads of a layer's output: enough for every mean, and PyTorch wakes no
# second thread for them
FULL_LOOK_NUMBERS = 32_000
QUICK_LOOK_NUMBERS = 4_000  # that any other look reads
# of the output, targets and output gradients in a look, with at most `FULL_LOOK_NUMBERS` numbers
MAX_ROWS = 512
# share of an activation's range from its end where it counts as saturated: a sigmoid's derivative
# is below .01 there
SATURATION_MARGIN = 0.01


@dataclass
class Signal:
    """A layer's output over the samples of one step, per unit [U].

    `mean` and `std`; `firing`, the share of positive numbers; `flat`, the share within 1 % of the
    ends of an activation that saturates; `gradient` = √Σ (dL/dy)² over the samples. `low` and
    `high` are the least and largest number of all units; `rank` is the effective number of
    directions that vary (on full looks); `calls` how often the layer was called.
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
    """A parameter in one step: lengths of its weights, of their gradient and of the true update,
    per row of its matrix [U]; of a vector as a whole, [1].
    """

    weight: Tensor
    gradient: Tensor | None = None
    update: Tensor | None = None
    distinct: int | None = None  # rows that differ from each other (on full looks)


@dataclass
class Look:
    """One step, seen from inside.

    `output`, `target` and `output_gradient` = dL/d(output) are rows of the batch, as the loss had
    them. `batch` is the number of samples; `lr` the learning rate of each optimizer group;
    `leftover_gradient` the length of the gradient that was still there when the backward pass began
    (0: cleared); `training` the network's mode; `stepped` whether an optimizer updated the
    parameters; `passes` how many forward passes the step had, of which the last one's output is
    shown. Of an output of several tensors, `outputs` and `output_gradients` have each by its path,
    and `output` is the one taken for the answer. `parts` are the terms of the loss and `score` the
    score, as `watch.step` was told them. `account` says what became of each parameter's gradient;
    of several networks, the look at each has its own.

    Of several networks, `networks` has a look at each that ran, in its own names; the look itself
    then has the signals and changes of all of them, with the network's name before, and the output
    of the last.
    """

    step: int
    loss: float
    lr: tuple[float, ...] = ()
    batch: int = 0
    training: bool = True
    leftover_gradient: float | None = None
    backwards: int = 1
    stepped: bool = True
    seconds: float = 0.0  # since watching began
    signals: Mapping[str, Signal] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    output: Tensor | None = None
    target: Tensor | None = None
    output_gradient: Tensor | None = None
    # of the whole input, output and target
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()  # of PyTorch's functions, in the order of their first time
    loss_terms: tuple[LossTerm, ...] = ()
    passes: int = 1
    outputs: dict[str, Tensor] = field(default_factory=dict)
    output_gradients: dict[str, Tensor] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    full: bool = False  # whether ranks and equal rows were measured too
    networks: dict[str, Look] = field(default_factory=dict)
    account: StepAccount | None = None
    shown: str = ""  # the network whose output it shows
    # of each loss that is a sum, what its parts send into what they share (on full looks)
    part_gradients: tuple[PartGradients, ...] = ()

    def merge_signals(self) -> None:
        """Take the signals and changes of all `networks`."""
        looks = self.networks
        self.signals = LazyDict(
            lambda: {
                prefix_of(network) + name: signal
                for network, look in looks.items()
                for name, signal in look.signals.items()
            }
        )
        self.changes = LazyDict(
            lambda: {
                prefix_of(network) + name: change
                for network, look in looks.items()
                for name, change in look.changes.items()
            }
        )

    def show(self, network: str) -> None:
        """Take the output of one of the `networks` for that of the look."""
        self.shown = network
        for name in OF_ONE_NETWORK:
            setattr(self, name, getattr(self.networks[network], name))

    def of(self, network: str) -> Look | None:
        """The look at one of several networks; None where it did not run in this step."""
        if (own := self.networks.get(network)) is None:
            return None
        terms = tuple(
            term
            for term in self.loss_terms
            if term.network in (network, None) or network in term.sources
        )
        account = self.account and self.account.of(network)
        gradients = tuple(
            one for every in self.part_gradients if (one := every.of(network)) is not None
        )
        return replace(
            own, calls=self.calls, loss_terms=terms, account=account, part_gradients=gradients
        )


# what a look at several networks shows of one of them
OF_ONE_NETWORK = (
    *("batch", "training", "leftover_gradient", "backwards", "passes"),
    *("output", "target", "output_gradient", "outputs", "output_gradients", "shapes"),
)


class LazyDict(Mapping[str, T]):
    """A dictionary that is computed when it is first read: during the training itself, a look
    should cost as little as it can.
    """

    def __init__(self, compute: Callable[[], dict[str, T]]) -> None:
        self._compute: Callable[[], dict[str, T]] | None = compute
        self._entries: dict[str, T] = {}

    def _computed(self) -> dict[str, T]:
        if self._compute is not None:
            self._entries, self._compute = self._compute(), None
        return self._entries

    def __getitem__(self, name: str) -> T:
        return self._computed()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._computed())

    def __len__(self) -> int:
        return len(self._computed())


def measure_signals(
    calls: Mapping[str, tuple[list[Tensor], list[Tensor]]],
    layers: Mapping[str, LayerFacts],
    full: bool = False,
) -> Mapping[str, Signal]:
    """What each layer gave, per unit, from its calls: `calls[name] = (outputs, output gradients)`.

    Layers of one shape are measured together.
    """
    limit = FULL_LOOK_NUMBERS if full else QUICK_LOOK_NUMBERS
    outputs = {
        name: y
        for name, (ys, _) in calls.items()
        if (y := _unit_columns(ys, layers[name].axis, limit)) is not None
    }
    gradients = {
        name: g
        for name, (_, gs) in calls.items()
        if name in outputs
        and (g := _unit_columns(gs, layers[name].axis, limit)) is not None
        and g.shape[1] == outputs[name].shape[1]
    }
    counts = {name: len(calls[name][0]) for name in outputs}
    statistics: list[tuple[list[str], tuple[Tensor, ...]]] = []
    for names, y in _stack_by_shape(outputs):
        # in these forms, because `var_mean`, `aminmax` and comparisons to bool take ten times as
        # long
        mean = y.mean(1)
        std = (buffer := y - mean[:, None]).mul_(buffer).mean(1).sqrt_()
        firing = torch.gt(y, 0, out=buffer).mean(1)
        statistics.append((names, (mean, std, firing, y.amin((1, 2)), y.amax((1, 2)))))
    gradient_norms = [
        (names, torch.linalg.vector_norm(g, dim=1)) for names, g in _stack_by_shape(gradients)
    ]
    flat: dict[str, Tensor] = {}
    for name, y in outputs.items():
        function = layers[name].function
        if function.saturates and function.output_range is not None:
            lowest, highest = function.output_range
            margin = (highest - lowest) * SATURATION_MARGIN
            saturated = (y < lowest + margin) | (y > highest - margin)
            flat[name] = saturated.mean(0, dtype=torch.float32)
    ranks = {name: effective_rank(y) for name, y in outputs.items()} if full else {}
    order = list(outputs)

    def compute() -> dict[str, Signal]:
        signals = {
            name: Signal(*numbers)
            for names, columns in statistics
            for name, numbers in zip(
                names, zip(*(column.unbind() for column in columns), strict=True), strict=True
            )
        }
        for names, norms in gradient_norms:
            for name, norm in zip(names, norms.unbind(), strict=True):
                signals[name].gradient = norm
        for name in order:
            signal = signals[name]
            signal.calls, signal.flat, signal.rank = counts[name], flat.get(name), ranks.get(name)
        return {name: signals[name] for name in order}

    return LazyDict(compute)


def measure_changes(
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    before: Mapping[str, Tensor],
    full: bool = False,
) -> Mapping[str, Change]:
    """What one step did to the parameters, by row: from them as they are now, their gradients, and
    them as they were `before`. Parameters of one shape are measured together.
    """
    weights: list[tuple[list[str], Tensor, Tensor | None]] = []
    distinct: dict[str, int] = {}
    for names, w in _stack_by_shape({name: _matrix(p) for name, p in parameters.items()}):
        if full and w.shape[1] > 1:
            distinct |= {
                name: count_distinct_rows(rows) for name, rows in zip(names, w, strict=True)
            }
        old = [_matrix(before[name]) for name in names if name in before]
        updates = (
            torch.linalg.vector_norm(w - _stack(old), dim=2) if len(old) == len(names) else None
        )
        weights.append((names, torch.linalg.vector_norm(w, dim=2), updates))
    dense = {
        name: _matrix(g) for name, g in gradients.items() if name in parameters and not g.is_sparse
    }
    sparse = {
        name: _sparse_row_norms(g)
        for name, g in gradients.items()
        if name in parameters and g.is_sparse
    }
    gradient_norms = [
        (names, torch.linalg.vector_norm(g, dim=2)) for names, g in _stack_by_shape(dense)
    ]
    order = list(parameters)

    def compute() -> dict[str, Change]:
        changes: dict[str, Change] = {}
        for names, norms, updates in weights:
            for index, name in enumerate(names):
                update = None if updates is None else updates[index]
                changes[name] = Change(norms[index], None, update, distinct.get(name))
        for names, norms in gradient_norms:
            for name, norm in zip(names, norms.unbind(), strict=True):
                changes[name].gradient = norm
        for name, norm in sparse.items():
            changes[name].gradient = norm
        return {name: changes[name] for name in order}

    return LazyDict(compute)


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
    vectors = torch.stack([now, gradient, now - before])
    matrices = {
        name: vectors[:, columns].view(3, shape[0] if len(shape) > 1 else 1, -1)
        for name, (columns, shape) in slices.items()
    }
    norms = {name: torch.linalg.vector_norm(rows, dim=2) for name, rows in matrices.items()}
    distinct = (
        {name: count_distinct_rows(rows[0]) for name, rows in matrices.items() if rows.shape[1] > 1}
        if full
        else {}
    )
    return LazyDict(
        lambda: {
            name: Change(norm[0], norm[1], norm[2], distinct.get(name))
            for name, norm in norms.items()
        }
    )


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
    """How many rows of a matrix [U, F] differ: by their product with one fixed irregular vector,
    then exactly where two of these agree.
    """
    probe = torch.sin(
        torch.arange(1, rows.shape[1] + 1, device=rows.device, dtype=torch.float64)
    ).to(rows.dtype)
    if len(torch.unique(rows @ probe)) == len(rows):
        return len(rows)
    return len(torch.unique(rows, dim=0))


def effective_rank(y: Tensor) -> Tensor:
    """Effective rank of centred outputs [N, U]: exp of the entropy of their squared singular
    values, as shares.

    Source: Roy, Vetterli 2007, The effective rank, with squared singular values.
    """
    block = y[:256, :256].float()
    share = torch.linalg.svdvals(torch.nan_to_num(block - block.mean(0), 0.0, 0.0, 0.0)).square()
    total = share.sum()
    share = share / total.clamp_min(1e-30)
    return torch.where(total > 0, torch.special.entr(share).sum().exp(), torch.zeros(()).to(total))


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
    matrices = []
    limit = limit // max(len(tensors), 1)
    for t in tensors:
        if not t.is_floating_point() or t.ndim == 0 or t.numel() == 0:
            continue
        t = t.detach()
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
    y = same[0] if len(same) == 1 else torch.cat(same)
    return y if y.dtype in (torch.float32, torch.float64) else y.float()
