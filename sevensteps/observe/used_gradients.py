"""The gradients of some parameters when they are used, and what they did to these parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sevensteps.observe.later import FlatCopies
from sevensteps.observe.tensor_numbers import norms_of, sample_entries, sample_size

MAX_COPIED = 1 << 16  # numbers of gradients that are copied; more are measured at once
# The norm of a gradient that was used, and which of its sampled entries were not 0.
Used = tuple["float | None", "NDArray[Any] | None"]
# copies of gradients that there are already, and their names by id of the parameter
Shared = tuple[FlatCopies, Mapping[int, str]]


class UsedGradients:
    """The gradients of some parameters at the moment when they are used: copied, and measured when
    somebody asks. An optimizer divides them by `divisor`; without one, they are only there. Of
    those that are in `shared`, no other copies are made.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        divisor: float | None = None,
        *,
        sampling: bool,
        shared: Sequence[Shared] = (),
    ) -> None:
        self.divisor, self.sampling = divisor, sampling
        self.size = 0
        self._copies: list[Shared] = []
        self._measured: dict[int, Used] = {}
        tensors = {id(p): p.grad for p in parameters if p.grad is not None}
        for copies, names in shared:
            copied = set(copies.names)
            own = {key: names[key] for key in tensors if names.get(key) in copied}
            self._add(copies, own)
            for key in own:
                del tensors[key]
        if sum(tensor.numel() for tensor in tensors.values()) > MAX_COPIED:
            self._measured = self._measure(tensors)
        elif tensors:
            copies = FlatCopies({str(key): tensor for key, tensor in tensors.items()})
            self._add(copies, {key: str(key) for key in tensors})

    def _add(self, copies: FlatCopies, names: Mapping[int, str]) -> None:
        if names:
            self._copies.append((copies, names))
            self.size += copies.size

    def measured(self) -> dict[int, Used]:
        """Of each parameter, by id: the norm of the gradient that was used (None: not used), and
        which of its sampled entries were not 0 (None: not sampled).
        """
        if self._copies:
            tensors: dict[int, Tensor] = {}
            for copies, names in self._copies:
                every = copies.tensors()
                tensors |= {key: every[name] for key, name in names.items()}
            self._copies = []
            self._measured |= self._measure(tensors)
        return self._measured

    def followed_by(self, later: UsedGradients) -> UsedGradients:
        """Both as one, measured."""
        later._measured, later.size = self.measured() | later.measured(), 0
        return later

    def _measure(self, tensors: dict[int, Tensor]) -> dict[int, Used]:
        lengths: dict[int, float] = {}
        if self.divisor is not None:
            norms = norms_of(list(tensors.values()))
            lengths = {key: norm / self.divisor for key, norm in zip(tensors, norms, strict=True)}
        pushed: dict[int, NDArray[Any]] = {}
        dense = {key: tensor for key, tensor in tensors.items() if not tensor.is_sparse}
        if self.sampling and dense:
            entries = sample_entries(list(dense.values())) != 0
            ends = np.cumsum([sample_size(tensor.numel()) for tensor in dense.values()])
            pushed = dict(zip(dense, np.split(entries, ends[:-1]), strict=True))
        return {key: (lengths.get(key), pushed.get(key)) for key in tensors}


def changes_of_entries(
    before: NDArray[Any] | None,
    after: NDArray[Any] | None,
    counts: Sequence[int],
    pushed: Sequence[NDArray[Any] | None],
) -> list[tuple[Any, ...]]:
    """Of each parameter with `counts` numbers, over its sampled entries: root mean squares of the
    weights and of their change, how many had a gradient, how many of those did not change.
    """
    if before is None or after is None:
        return [(None, None, 0, 0)] * len(counts)
    sizes = np.array([sample_size(count) for count in counts])
    had_gradient = np.concatenate(
        [
            np.zeros(size, bool) if entries is None else entries
            for entries, size in zip(pushed, sizes, strict=True)
        ]
    )
    rows = np.empty((4, len(after)))
    rows[0], rows[1], rows[2] = after, after - before, had_gradient
    rows[:2] *= rows[:2]
    rows[3] = had_gradient & (after == before)
    starts = np.cumsum(sizes) - sizes
    sums = np.zeros((4, len(sizes)))
    sums[:, sizes > 0] = np.add.reduceat(rows, starts[sizes > 0], axis=1)
    sums[:2] = np.sqrt(sums[:2] / np.maximum(sizes, 1))
    return [tuple(column) for column in sums.T.tolist()]
