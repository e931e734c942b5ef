"""Which data sets a script trains and evaluates on: those whose DataLoader's batches its network is
given.
"""

from __future__ import annotations

import inspect
import itertools
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.dataloader import _BaseDataLoaderIter

from sevensteps.observe.samples import Inputs
from sevensteps.observe.script.attributes import Attributes
from sevensteps.observe.structure import map_tensors, sample_count, tensors_of

MAX_BATCHES = 8  # of one step that are remembered
FIRST_BATCHES = 1  # of each way through a data set that are remembered once it is known
MAX_TRIES = 6  # looks at a training whose inputs may be found in a batch
COMPARED_ROWS = 128  # of a batch


class Source:
    """Where a DataLoader takes its batches from, and how it makes them."""

    def __init__(self, iterator: Any) -> None:
        self._strong: tuple[Any, ...] | None = (
            iterator._dataset,
            iterator._index_sampler,
            iterator._collate_fn,
        )
        self._weak: tuple[Callable[[], Any], ...] = ()
        self.batched = bool(iterator._auto_collation)  # else samples are taken as batches
        self.workers = int(iterator._num_workers)
        self.targets: Source | None = None  # where these come from another loader

    def let_go(self) -> None:
        """Keep nothing alive from now on: what the script does not keep either is `gone`."""
        if self._strong is not None:
            self._weak, self._strong = tuple(map(_weak_reference, self._strong)), None
        if self.targets is not None:
            self.targets.let_go()

    def _part(self, place: int) -> Any:
        return self._weak[place]() if self._strong is None else self._strong[place]

    @property
    def dataset(self) -> Any:
        """The data set."""
        return self._part(0)

    @property
    def collate(self) -> Any:
        """What makes a batch of samples."""
        return self._part(2)

    @property
    def gone(self) -> bool:
        """Whether the script has let go of the data set or its loader."""
        if self.targets is not None and self.targets.gone:
            return True
        return any(self._part(place) is None for place in range(3))

    @property
    def iterable(self) -> bool:
        """Whether its samples come one after another, and may come only once."""
        return isinstance(self.dataset, IterableDataset) or not hasattr(self.dataset, "__getitem__")

    @property
    def _batches(self) -> BatchSampler | None:
        chooser = self._part(1)
        return chooser if self.batched and type(chooser) is BatchSampler else None

    @property
    def sampler(self) -> Any:
        """What chooses single samples; None where the script chooses batches in its own way."""
        if self.batched:
            return self._batches.sampler if self._batches is not None else None
        return self._part(1)

    def indices(self) -> Sequence[int] | None:
        """The samples that the loader draws from, by their index; None where that is not known.

        Those of a weighted sampler are drawn anew, by its weights.
        """
        sampler = self.sampler
        kind = type(sampler)
        if kind in (SequentialSampler, RandomSampler, DistributedSampler):
            return range(len(self.dataset))
        if kind is SubsetRandomSampler:
            return [int(index) for index in sampler.indices]
        if kind is WeightedRandomSampler:
            draw, weights = torch.Generator().manual_seed(0), torch.as_tensor(sampler.weights)
            count = min(len(weights), sampler.num_samples)
            chosen = torch.multinomial(weights.double(), count, True, generator=draw)
            return [int(index) for index in chosen]
        return None

    def is_same(self, other: Source) -> bool:
        """Whether both are of one loader."""
        return self.dataset is other.dataset and self._part(1) is other._part(1)

    def has_same_samples(self, other: Source) -> bool:
        """Whether both draw from the same samples of a data set."""
        if self.gone or self.dataset is not other.dataset:
            return False
        ours, theirs = self.indices(), other.indices()
        if ours is None or theirs is None:
            return self.is_same(other)
        return ours == theirs or set(ours) == set(theirs)

    def is_parallel_to(self, other: Source) -> bool:
        """Whether both draw from samples of the same indices: in two data sets, or one of them."""
        if self.is_same(other) or self.iterable or other.iterable:
            return False
        ours, theirs = self.indices(), other.indices()
        return ours is not None and self.batched == other.batched and ours == theirs

    def describe(self) -> dict[str, Any]:
        """What a condition may want to know of the loader."""
        shuffled = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
        kind, batches = type(self.sampler), self._batches
        return {
            "samples": None if self.iterable else len(self.dataset),
            "batch_size": None if batches is None else int(batches.batch_size),
            "drop_last": batches is not None and bool(batches.drop_last),
            "shuffled": kind in shuffled if kind in (*shuffled, SequentialSampler) else None,
            "workers": self.workers,
        }


def _weak_reference(value: Any) -> Callable[[], Any]:
    """A reference that keeps nothing alive; of what cannot have one, one that is gone already."""
    try:
        return weakref.WeakMethod(value) if inspect.ismethod(value) else weakref.ref(value)
    except TypeError:
        return lambda: None


@dataclass(frozen=True)
class BatchPart:
    """A tensor that the network or the loss is given: which part of the batch it is, and the shape
    of one sample and the type that the script has brought it to.
    """

    path: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    def of(self, batch: dict[str, Tensor]) -> Tensor:
        """That part of another batch. Raises `KeyError` or `RuntimeError` where it has none."""
        tensor = batch[self.path]
        return tensor.detach().reshape(len(tensor), *self.shape).to(self.dtype)


@dataclass(frozen=True)
class BatchParts:
    """Which parts of a batch are the network's arguments, and which the targets."""

    arguments: Inputs
    inputs: dict[str, BatchPart]  # by the path of the argument in `arguments`
    structure: Any  # of the targets
    targets: dict[str, BatchPart]
    apart: bool = False  # whether the targets come in a batch of their own

    def split(self, batch: Any, with_targets: Any = None) -> tuple[Any, Any]:
        """Inputs and targets of another batch, on the CPU: tensors where there is one each.

        `with_targets` is the batch that has the targets, where it is another one.
        """
        tensors = tensors_of(batch)
        answers = tensors if with_targets is None else tensors_of(with_targets)
        inputs = self._filled(self.arguments, self.inputs, tensors)
        only = len(inputs.args) == 1 and not inputs.kwargs and isinstance(inputs.args[0], Tensor)
        return (
            inputs.args[0] if only else inputs,
            self._filled(self.structure, self.targets, answers),
        )

    @staticmethod
    def _filled(structure: Any, parts: dict[str, BatchPart], batch: dict[str, Tensor]) -> Any:
        following = iter(parts.values())
        return map_tensors(lambda _: next(following).of(batch).cpu(), structure)

    def feed(self, arguments: Inputs, batch: dict[str, Tensor]) -> bool:
        """Whether the network, called with `arguments`, is given this batch."""
        given = tensors_of(arguments)
        return given.keys() == self.inputs.keys() and all(
            part.path in batch and _same_rows(given[path], batch[part.path])
            for path, part in self.inputs.items()
        )


def parts_of(
    arguments: Inputs,
    targets: Any,
    batch: dict[str, Tensor],
    with_targets: dict[str, Tensor] | None = None,
) -> BatchParts | None:
    """Where in a batch the first samples of a step's inputs and targets are, or those of the
    targets in a batch `with_targets`; None where any of them is not in it as it is, up to its shape
    and type.
    """
    others = batch if with_targets is None else with_targets
    inputs = {path: _find(rows, batch) for path, rows in tensors_of(arguments).items()}
    answers = {path: _find(rows, others) for path, rows in tensors_of(targets).items()}
    known_inputs = {path: part for path, part in inputs.items() if part is not None}
    known_targets = {path: part for path, part in answers.items() if part is not None}
    if not inputs or not answers or (known_inputs, known_targets) != (inputs, answers):
        return None
    apart = with_targets is not None
    return BatchParts(arguments, known_inputs, targets, known_targets, apart)


def _find(rows: Tensor, batch: dict[str, Tensor]) -> BatchPart | None:
    fitting = [path for path, tensor in batch.items() if _same_rows(rows, tensor)]
    if not fitting:
        return None
    # of several that hold the same numbers, the one that looks most like it
    path = max(
        fitting,
        key=lambda p: (batch[p].dtype == rows.dtype) + (batch[p].shape[1:] == rows.shape[1:]),
    )
    return BatchPart(path, tuple(rows.shape[1:]), rows.dtype)


def _same_rows(rows: Tensor, tensor: Tensor) -> bool:
    """Whether the first of `rows` are the first samples of `tensor`, in whatever shape."""
    if not rows.ndim or not tensor.ndim or not len(rows) or len(tensor) < len(rows):
        return False
    rows = rows.detach()[:COMPARED_ROWS]
    own = tensor.detach()[: len(rows)]
    if own.numel() != rows.numel():
        return False
    own = own.reshape(rows.shape).to(rows.dtype).to(rows.device)
    return bool(torch.equal(torch.nan_to_num(own), torch.nan_to_num(rows)))


class TrainingLoaders:
    """The data sets of one training: what it trains on, and what it is evaluated on."""

    def __init__(self) -> None:
        self.train: Source | None = None
        self.valid: Source | None = None
        self.parts: BatchParts | None = None
        self.tries = 0
        self.rows = 0  # of the samples that looks have stored, those that were compared

    @property
    def undecided(self) -> bool:
        """Whether another look may show what it trains on."""
        return self.parts is None and self.tries < MAX_TRIES

    def trains_on(self, source: Source) -> bool:
        """Whether the samples of `source` are those that it trains on."""
        return self.train is not None and self.train.has_same_samples(source)

    def let_go(self) -> None:
        """Another training has begun: keep no data set alive that the script does not keep."""
        for source in (self.train, self.valid):
            if source is not None:
                source.let_go()


class LoaderReader:
    """Sees the batches that DataLoaders give, and whether a network is given them."""

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.decided = False  # whether the trainings that go on are known
        # (source, batch, the version of each of its tensors), the latest last
        self._batches: deque[tuple[Source, dict[str, Tensor], dict[str, int]]] = deque(
            maxlen=MAX_BATCHES
        )

    def start(self) -> None:
        """See the batches of all DataLoaders from now on."""
        self.attributes.note(_BaseDataLoaderIter, "__next__", self._next)

    def _next(self, iterator: Any) -> Callable[..., Any] | None:
        if self.decided and iterator._num_yielded >= FIRST_BATCHES:
            return None
        function, keep = _BaseDataLoaderIter.__next__, self.attributes.guarded(self._keep)

        def next_batch() -> Any:
            batch = function(iterator)
            keep(iterator, batch)
            return batch

        return next_batch

    def _keep(self, iterator: Any, batch: Any) -> None:
        tensors = tensors_of(batch)
        versions = {} if _inference(tensors) else {p: t._version for p, t in tensors.items()}
        self._batches.append((Source(iterator), tensors, versions))

    def forget(self) -> None:
        """A step has ended: its batches are of no interest any more."""
        self._batches.clear()

    def looked(self, loaders: TrainingLoaders, arguments: Inputs | None, targets: Any) -> None:
        """A look has stored these first samples of a step of the training that `loaders` belong
        to.
        """
        loaders.tries += 1
        if arguments is None or not sample_count(arguments) or targets is None:
            return
        unchanged = [
            (source, batch)
            for source, batch, versions in reversed(self._batches)
            if all(t._version == versions[p] for p, t in batch.items() if p in versions)
        ]
        for source, batch in unchanged:
            parts = parts_of(arguments, targets, batch)
            if parts is not None:
                loaders.train, loaders.parts = source, parts
                return
        for (source, batch), (other, answers) in itertools.permutations(unchanged, 2):
            parts = parts_of(arguments, targets, batch, answers)
            if parts is not None and source.is_parallel_to(other):
                source.targets = other
                loaders.train, loaders.parts = source, parts
                return

    def evaluated(self, loaders: TrainingLoaders, arguments: Inputs) -> Source | None:
        """The network is evaluated on these: the source of the batch, where that is known."""
        if loaders.parts is None:
            return None
        for source, batch, versions in reversed(self._batches):
            unchanged = all(t._version == versions[p] for p, t in batch.items() if p in versions)
            if unchanged and loaders.parts.feed(arguments, batch):
                return source
        return None


def _inference(tensors: dict[str, Tensor]) -> bool:
    return any(tensor.is_inference() for tensor in tensors.values())
