"""How a step came from its networks' answers to its loss, as calls that can be repeated on another
batch.

Tensors are not kept: what a call was given is written down as where it came from.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from sevensteps.observe.structure import tensors_of

MAX_ENTRIES = 2000  # of one step
MAX_LEAVES = 200  # tensors of the training's own that a step's calls are given
MAX_CONSTANT = 1_000_000  # numbers of one that is kept, because nothing is known of it
# results that may turn out to be an input or a target, and numbers of one
MAX_DATA, MAX_DATA_NUMBERS = 32, 100_000
MAX_COMPARED = 50_000_000  # numbers, to know rows again
MAX_DEPTH = 6
# changes that belong to the step, not to how the loss is computed
NOT_REPEATED = {"backward", "register_hook", "retain_grad", "_set_grad_enabled", "zero_"}


@dataclass(frozen=True)
class ResultOf:
    """A tensor that an entry of the tape gave, by its path in the result."""

    entry: int
    path: str


@dataclass(frozen=True)
class ParameterOf:
    """A parameter, by its name with the network's before it."""

    name: str


@dataclass(frozen=True)
class InputOf:
    """A tensor that a network was called with: the number of the call, and the path in its
    arguments, (args, kwargs).
    """

    call: int
    path: str


@dataclass(frozen=True)
class TargetOf:
    """A tensor of the step's targets, in the precision that the loss took it in."""

    path: str
    dtype: torch.dtype


@dataclass(frozen=True, eq=False)
class RowsOf:
    """Which rows of `data` a network was called with, `data[rows]` being an input of the step."""

    data: Tensor
    call: int
    path: str

    def of(self, inputs: Tensor) -> Tensor:
        """The rows [B] of `data` that are these `inputs`. Raises `LookupError` where one is none.

        Of rows that are alike, the first.
        """
        one, every = inputs.detach().flatten(1), self.data.flatten(1)
        if len(one) * every.numel() > MAX_COMPARED:
            raise LookupError("too many rows to look through")
        same = (one[:, None] == every[None].to(one)).all(2)
        if not bool(same.any(1).all()):
            raise LookupError("inputs that are no rows of the data")
        return same.int().argmax(1)


@dataclass(frozen=True)
class _Leaf:
    number: int


@dataclass(frozen=True)
class TapeEntry:
    """One call: of a function, or of a network (`function` is None, `network` says which).

    `args` of a network are None where it is given data, and no results of other calls.
    """

    function: Callable[..., Any] | None
    network: str
    args: Any
    kwargs: Any
    where: str = ""
    grad: bool = True
    autocast: tuple[tuple[str, torch.dtype], ...] = ()
    changes: bool = False  # its first argument, in place


@dataclass(frozen=True)
class LossTape:
    """The calls of a step in their order, and which of their results backward() was called on.

    `targets` are those of its own batch. `foreign` says whether it has numbers of that batch in it
    that nobody told the watch of, such as targets that the loop does not report.
    """

    entries: tuple[TapeEntry, ...]
    losses: tuple[ResultOf, ...]
    targets: dict[str, Tensor] = field(default_factory=dict)
    foreign: bool = False


@dataclass
class TapeRecorder:
    """Writes the tape of one step: `names` are those of the parameters, by id."""

    names: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clear()

    def clear(self, *, writes: bool = True) -> None:
        """A step begins, of which a tape is written or not."""
        self._entries: list[TapeEntry] = []
        self._known: dict[int, tuple[weakref.ref[Tensor], ResultOf]] = {}
        self._leaves: list[Tensor] = []
        self._data: dict[ResultOf, Tensor] = {}  # results without a graph: of data alone
        self._losses: list[ResultOf] = []
        self._inputs: list[dict[str, Tensor]] = []  # of each call of a network
        self._complete = writes

    def note(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
        where: str,
    ) -> None:
        """`function` was called outside of all networks."""
        name = getattr(function, "__name__", "")
        if not self._complete or name in NOT_REPEATED:
            return
        changes = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
        results = tensors_of(result)
        if (results or changes) and self._room():
            given = self._symbolic(args), self._symbolic(dict(kwargs))
            grad = torch.is_grad_enabled()
            entry = TapeEntry(function, "", *given, where, grad, autocast_now(), changes)
            self._add(entry, results)
            for path, tensor in results.items():
                few = len(self._data) < MAX_DATA and tensor.numel() <= MAX_DATA_NUMBERS
                if few and not tensor.requires_grad and tensor.ndim:
                    self._data[ResultOf(len(self._entries) - 1, path)] = tensor

    def network_enters(self, network: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A network is called, by none that is watched."""
        if self._complete and self._room():
            tensors = tensors_of((args, kwargs))
            self._inputs.append(tensors)
            derived = any(tensor.grad_fn is not None for tensor in tensors.values())
            entry = TapeEntry(None, network, None, None, autocast=autocast_now())
            if derived:
                given = self._symbolic(args), self._symbolic(dict(kwargs))
                entry = replace(entry, args=given[0], kwargs=given[1])
            self._add(entry, {})

    def network_returns(self, network: str, output: Any) -> None:
        """The network that was entered last has given `output`."""
        for number in reversed(range(len(self._entries))):
            entry = self._entries[number]
            if entry.function is None and entry.network == network:
                self._know(number, tensors_of(output))
                return

    def note_backward(self, loss: Tensor) -> None:
        """backward() is called on `loss`."""
        if (result := self._result(loss)) is not None:
            self._losses.append(result)

    def tape(self, loss: Any, target: Any) -> LossTape | None:
        """The tape of the step that has ended with this loss and target; None where it could not be
        written whole.
        """
        own = self._result(loss) if isinstance(loss, Tensor) else None
        losses = tuple(dict.fromkeys(self._losses))
        if own is not None and len(losses) < 2:
            losses = (own,)
        if not self._complete or not losses:
            return None
        meanings = [self._meaning(leaf, target) for leaf in self._leaves]
        known: dict[ResultOf, Any] = {
            result: meaning
            for result, tensor in self._data.items()
            if (meaning := self._given(tensor, target)) is not None
        }
        used: set[int] = {loss.entry for loss in losses}
        leaves: list[Any] = []

        def resolved(value: Any) -> Any:
            if isinstance(value, _Leaf):
                leaves.append(meanings[value.number])
                return leaves[-1]
            if isinstance(value, ResultOf):
                value = known.get(value, value)
                if isinstance(value, ResultOf):
                    used.add(value.entry)
            return value

        entries: dict[int, TapeEntry] = {}
        for number in reversed(range(len(self._entries))):
            entry = self._entries[number]
            if number in used or entry.function is None or _changes_any(entry, used):
                given = substitute(resolved, entry.args), substitute(resolved, entry.kwargs)
                entries[number] = replace(entry, args=given[0], kwargs=given[1])
        if any(leaf is None for leaf in leaves):
            return None
        numbers = {number: place for place, number in enumerate(sorted(entries))}

        def numbered(value: Any) -> Any:
            return (
                replace(value, entry=numbers[value.entry]) if isinstance(value, ResultOf) else value
            )

        sizes = {len(t) for inputs in self._inputs for t in inputs.values() if t.ndim}
        return LossTape(
            tuple(
                replace(
                    entries[number],
                    args=substitute(numbered, entries[number].args),
                    kwargs=substitute(numbered, entries[number].kwargs),
                )
                for number in sorted(entries)
            ),
            tuple(numbered(loss) for loss in losses),
            {
                path: tensor.detach().clone()
                for path, tensor in tensors_of(target).items()
                if tensor.numel() <= MAX_CONSTANT
            },
            any(isinstance(one, Tensor) and one.ndim and len(one) in sizes for one in leaves),
        )

    # -- where tensors come from -------------------------------------------------------------------

    def _room(self) -> bool:
        self._complete = self._complete and len(self._entries) < MAX_ENTRIES
        return self._complete

    def _add(self, entry: TapeEntry, results: dict[str, Tensor]) -> None:
        self._entries.append(entry)
        self._know(len(self._entries) - 1, results)

    def _know(self, entry: int, results: dict[str, Tensor]) -> None:
        for path, tensor in results.items():
            self._known[id(tensor)] = weakref.ref(tensor), ResultOf(entry, path)

    def _result(self, tensor: Tensor) -> ResultOf | None:
        reference, result = self._known.get(id(tensor), (None, None))
        return result if reference is not None and reference() is tensor else None

    def _symbolic(self, value: Any) -> Any:
        return substitute(self._origin, value)

    def _origin(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            if tensors_of(value):  # in a structure that is not written down
                self._complete = False
                return None
            return value
        if (result := self._result(value)) is not None:
            return result
        if (name := self.names.get(id(value))) is not None:
            return ParameterOf(name)
        if value.grad_fn is not None or len(self._leaves) >= MAX_LEAVES:
            self._complete = False  # of a function that was not heard of
            return None
        for number, leaf in enumerate(self._leaves):
            if leaf is value:
                return _Leaf(number)
        self._leaves.append(value)
        return _Leaf(len(self._leaves) - 1)

    def _meaning(self, leaf: Tensor, target: Any) -> Any:
        """What a tensor of the training's own is: an input, a target, or what it is itself."""
        if (given := self._given(leaf, target)) is not None:
            return given
        if (indices := self._rows(leaf)) is not None:
            return indices
        return None if leaf.numel() > MAX_CONSTANT else leaf.detach().clone()

    def _rows(self, leaf: Tensor) -> RowsOf | None:
        """Of whole numbers, the data whose rows they pick, where these are an input of the step."""
        if leaf.dtype != torch.int64 or leaf.ndim != 1 or not len(leaf) or int(leaf.min()) < 0:
            return None
        for data in self._leaves:
            if data.ndim == 0 or int(leaf.max()) >= len(data) or data.numel() > MAX_CONSTANT:
                continue
            for call, inputs in enumerate(self._inputs):
                for path, tensor in inputs.items():
                    fits = tensor.shape == (len(leaf), *data.shape[1:])
                    alike = tensor.dtype == data.dtype and tensor.device == data.device
                    if fits and alike and torch.equal(data[leaf], tensor):
                        return RowsOf(data.detach().clone(), call, path)
        return None

    def _given(self, leaf: Tensor, target: Any) -> InputOf | TargetOf | None:
        """The input or the target that a tensor is; None for another one."""
        for call, inputs in enumerate(self._inputs):
            for path, tensor in inputs.items():
                if _is_same(leaf, tensor):
                    return InputOf(call, path)
        for path, tensor in tensors_of(target).items():
            if _is_same(leaf, tensor):
                return TargetOf(path, leaf.dtype)
        return None


def _changes_any(entry: TapeEntry, used: set[int]) -> bool:
    """Whether an entry changes in place what one of the `used` entries gave."""
    changed = entry.args[0] if entry.changes and entry.args else None
    return isinstance(changed, ResultOf) and changed.entry in used


def _is_same(leaf: Tensor, other: Tensor) -> bool:
    """Whether two tensors are one, or have the same numbers."""
    if leaf is other:
        return True
    if leaf.shape != other.shape or leaf.device != other.device or not leaf.ndim:
        return False
    if leaf.numel() > MAX_CONSTANT:
        return leaf.data_ptr() == other.data_ptr() and leaf.dtype == other.dtype
    return bool(torch.equal(leaf.double(), other.detach().double()))


def substitute(function: Callable[[Any], Any], value: Any, depth: int = 0) -> Any:
    """`value` with `function(part)` in place of each part that is no tuple, list, dictionary or
    slice.
    """
    if depth < MAX_DEPTH:
        if type(value) in (tuple, list):
            return type(value)(substitute(function, part, depth + 1) for part in value)
        if type(value) is dict:
            return {key: substitute(function, part, depth + 1) for key, part in value.items()}
        if isinstance(value, slice):
            return slice(*(function(p) for p in (value.start, value.stop, value.step)))
    return function(value)


def autocast_now() -> tuple[tuple[str, torch.dtype], ...]:
    """The devices on which autocast is on now, each with its precision."""
    return tuple(
        (device, torch.get_autocast_dtype(device))
        for device in ("cpu", "cuda")
        if torch.is_autocast_enabled(device)
    )
