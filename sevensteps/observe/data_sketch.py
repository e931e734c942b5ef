"""The data as they were fed: a bounded sketch of the batches of a training, which can be compared
with each other and with the data that the training is said to have.

Of a batch it keeps 64-bit hashes of its first rows, of input and target. A hash says that a row
came back, whatever its device, layout, shape or precision; it says nothing of what is in it.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from sevensteps.observe.structure import tensors_of

ROWS = 32  # of a batch that are hashed
COLUMNS = 64  # of a row, spread over it, that its hash is made of
MAX_TENSORS = 4  # of several inputs
MAX_BATCHES = 768  # 0.4 MB; of longer trainings every second of the older ones
MOST = 0.9  # of the targets fed are among those of data of the same form
# equal rows within batches, were they alike by chance: so many are expected before their absence
# says something (none at all by chance in one of 150), and so few of these are an absence
EXPECTED, FEWER = 5, 0.2
KNOWN_ROWS = 200_000  # of the data that a sketch is compared with
_FACTORS = (
    torch.randint(-(2**62), 2**62, (COLUMNS,), generator=torch.Generator().manual_seed(20_240_517))
    .mul_(2)
    .add_(1)
)


@dataclass
class SketchedBatch:
    """One batch as it was fed: hashes of its first rows [n]; `size` is the number of all."""

    step: int
    size: int
    inputs: Int64[Tensor, "n"]
    targets: Int64[Tensor, "n"] | None = None
    mean: float = math.nan  # of the first input, where it has floating-point numbers
    std: float = math.nan


@dataclass(frozen=True)
class _Rows:
    """The numbers of one batch that are to be hashed: copies, since hashing can wait."""

    step: int
    size: int
    inputs: tuple[Tensor, ...]  # [n, C] each
    targets: tuple[Tensor, ...]
    few: Tensor | None  # numbers of the first input

    @property
    def form(self) -> tuple[Any, ...]:
        """What batches that are hashed together have in common."""
        tensors = (*self.inputs, *self.targets, *(() if self.few is None else (self.few,)))
        return len(self.inputs), self.few is None, *((t.shape, t.dtype, t.device) for t in tensors)


@dataclass(frozen=True)
class Comparison:
    """A sketch against data: the share of rows fed whose input is among these data, and the share
    of those whose target is the one that these data give to it.

    `pairs` is nan where targets cannot be compared; `known_targets` is the share of targets fed
    that are among those of the data. `rows` were compared, `positions` says where in the data the
    rows of each batch are, -1 for those that are not.
    """

    rows: int
    known: float
    pairs: float
    known_targets: float
    positions: list[Int64[Tensor, "n"]]
    available: int = 0


class DataSketch:
    """Some of the batches of a training in the order in which they were fed: what `network` got
    first in a step, and the step's targets.
    """

    def __init__(self, batches: Iterable[SketchedBatch] = (), network: str = "") -> None:
        self.network = network
        self._hashed = list(batches)
        self._waiting: list[_Rows] = []  # fed after those

    @property
    def batches(self) -> list[SketchedBatch]:
        """The batches, in the order in which they were fed."""
        forms: dict[Any, list[_Rows]] = {}
        for batch in self._waiting:
            forms.setdefault(batch.form, []).append(batch)
        new = [one for batches in forms.values() for one in _hash_batches(batches)]
        self._hashed += sorted(new, key=lambda batch: batch.step)
        self._waiting = []
        return self._hashed

    def __len__(self) -> int:
        return len(self._hashed) + len(self._waiting)

    def add(self, step: int, inputs: Any, target: Any) -> None:
        """Add a batch: tensors by name, or one. Nothing is added of what has no rows."""
        tensors = _tensors(inputs)
        rows = next((len(t) for t in tensors if t.ndim and t.numel()), 0)
        numbers = _rows_of(tensors, rows)
        if not numbers:
            return
        first, few = tensors[0].detach()[:ROWS], None
        if first.is_floating_point() and first.device.type == "cpu":
            few = first.flatten()[:: max(first.numel() // 2048, 1)].clone()
        self._waiting.append(_Rows(step, rows, numbers, _rows_of(_tensors(target), rows), few))
        if len(self) > MAX_BATCHES:
            batches = self.batches
            batches[8 : MAX_BATCHES // 2] = batches[8 : MAX_BATCHES // 2 : 2]

    @property
    def rows(self) -> int:
        """How many rows were hashed."""
        return sum(len(batch.inputs) for batch in self.batches)

    @property
    def distinct_rows(self) -> int:
        """How many of the hashed rows differ."""
        return len(torch.cat([b.inputs.cpu() for b in self.batches]).unique()) if self.rows else 0

    def repeated_batches(self) -> list[tuple[int, int]]:
        """(earlier step, step) of each batch whose rows are those of an earlier one, in the same
        order; of several earlier ones the last.
        """
        last: dict[tuple[int, ...], int] = {}
        pairs = []
        for batch in self.batches:
            key = (batch.size, *batch.inputs.tolist())
            if key in last:
                pairs.append((last[key], batch.step))
            last[key] = batch.step
        return pairs

    def chance_repeats(self) -> float:
        """How many pairs of batches would be alike if their rows were drawn by chance: many where
        batches are of one row, or the data have few that differ.
        """
        if not self.rows:
            return 0.0
        counts = torch.cat([b.inputs.cpu() for b in self.batches]).unique(return_counts=True)[1]
        alike = float((counts.double() / self.rows).square().sum())  # two rows drawn
        lengths = Counter(len(batch.inputs) for batch in self.batches)
        return sum(n * (n - 1) / 2 * alike**length for length, n in lengths.items())

    def rows_are_samples(self) -> bool:
        """Whether equal rows are one sample that was fed again, as in a later epoch, and not
        samples that happen to be alike: these would be together in one batch, too.
        """
        batches = [
            torch.stack([b.inputs, b.inputs if b.targets is None else b.targets], 1).cpu()
            for b in self.batches
        ]
        if not batches:
            return False
        everywhere = torch.cat(batches)
        alike, pairs = _equal_pairs(everywhere), len(everywhere) * (len(everywhere) - 1) / 2
        within = sum(map(_equal_pairs, batches))
        pairs_within = sum(len(b) * (len(b) - 1) / 2 for b in batches)
        if pairs <= pairs_within:
            return False
        by_chance = (alike - within) / (pairs - pairs_within) * pairs_within
        return by_chance >= EXPECTED and within <= FEWER * by_chance

    def returned_rows(self) -> tuple[int, int]:
        """(rows that came back in a later batch, those of them with the target they had before).

        Targets that an input has not twice the same are computed on the way: by another network,
        from noise, or of other parts of the data.
        """
        before: dict[int, int] = {}
        back = same = 0
        for batch in self.batches:
            if batch.targets is None:
                continue
            pairs = list(zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True))
            for x, y in pairs:
                if x in before:
                    back += 1
                    same += before[x] == y
            before.update(pairs)
        return back, same

    def compare(self, x: Any, y: Any = None) -> Comparison | None:
        """The rows fed against data of which `x` are the inputs and `y` the targets; None where
        there are no rows.

        Targets may be written in another way (numbers of classes, one-hot rows) as long as what is
        alike in one is alike in the other.
        """
        tensors = _tensors(x)
        count = next((len(t) for t in tensors if t.ndim and t.numel()), 0)
        data = hash_rows(tensors, count, KNOWN_ROWS)
        if data is None or not self.rows:
            return None
        answers = hash_rows(_tensors(y), count, KNOWN_ROWS)
        order = data.cpu().sort(stable=True)
        known = rows = 0
        positions = []
        fed_targets: list[int] = []
        true_targets: list[int] = []
        unique = _unrepeated(order.values)
        for batch in self.batches:
            hashes = batch.inputs.cpu()
            at = torch.searchsorted(order.values, hashes).clamp_max(len(order.values) - 1)
            is_known = order.values[at] == hashes
            position = torch.where(is_known, order.indices[at], -1)
            positions.append(position)
            known, rows = known + int(is_known.sum()), rows + len(hashes)
            if answers is not None and batch.targets is not None:
                sure = is_known & unique[at]
                fed_targets += batch.targets.cpu()[sure].tolist()
                true_targets += answers.cpu()[position[sure]].tolist()
        every = set() if answers is None else set(answers.tolist())
        of_data = sum(target in every for target in fed_targets) / max(len(fed_targets), 1)
        pairs = _agreement(true_targets, fed_targets, of_data > MOST)
        available = len(order.values.unique_consecutive())
        return Comparison(rows, known / rows, pairs, of_data, positions, available)

    def to_dict(self) -> dict[str, Any]:
        """The sketch as JSON can hold it."""
        return {
            "network": self.network,
            "batches": [[b.step, b.size, len(b.inputs), b.mean, b.std] for b in self.batches],
            "inputs": _text([b.inputs for b in self.batches]),
            "targets": _text([b.targets for b in self.batches if b.targets is not None]),
            "with_targets": [b.targets is not None for b in self.batches],
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> DataSketch:
        """The sketch that `to_dict` wrote. Raises `KeyError`, `TypeError` or `ValueError` for
        anything else.
        """
        inputs, targets = _numbers(record["inputs"]), _numbers(record["targets"])
        batches, i, j = [], 0, 0
        for numbers, has_targets in zip(record["batches"], record["with_targets"], strict=True):
            step, size, rows, *statistics = numbers
            mean, std = (math.nan if s is None else float(s) for s in statistics)
            own = targets[j : j + rows] if has_targets else None
            batches.append(SketchedBatch(step, size, inputs[i : i + rows], own, mean, std))
            i, j = i + rows, j + rows * has_targets
        return cls(batches, record["network"])


def hash_rows(tensors: list[Tensor], rows: int, limit: int = ROWS) -> Int64[Tensor, "n"] | None:
    """One hash for each of the first rows of a batch, from all of `tensors` that have `rows` rows;
    None where none has.

    Equal rows have equal hashes: as float32 or float64, int32 or int64, as an image or flat, on any
    device.
    """
    numbers = _rows_of(tensors, rows, limit)
    return _hash(numbers) if numbers else None


def _rows_of(tensors: list[Tensor], rows: int, limit: int = ROWS) -> tuple[Tensor, ...]:
    """Copies [n, C] of the columns of the first rows that are hashed, of those of `tensors` that
    have `rows` rows.
    """
    copies = []
    for index, tensor in enumerate(t for t in tensors if t.ndim and len(t) == rows):
        if index == MAX_TENSORS or tensor.is_complex() or not tensor.numel():
            continue
        flat = tensor.detach()[:limit].reshape(min(rows, limit), -1)
        wide = flat.shape[1] > COLUMNS
        copies.append(flat[:, _columns(flat.shape[1], flat.device)] if wide else flat.clone())
    return tuple(copies)


def _hash(numbers: Iterable[Tensor]) -> Tensor:
    """One hash [..., n] for each row of tensors [..., n, C]."""
    total: Tensor | None = None
    for tensor in numbers:
        whole = (
            tensor.float().contiguous().view(torch.int32).long()
            if tensor.is_floating_point()
            else tensor.long()
        )
        hashes = (whole * _FACTORS[: tensor.shape[-1]].to(tensor.device)).sum(-1)
        total = hashes if total is None else total * 31 + hashes
    assert total is not None
    return total


def _hash_batches(batches: list[_Rows]) -> list[SketchedBatch]:
    """The batches of one form, hashed together."""
    first = batches[0]
    inputs = _hash([torch.stack(t) for t in zip(*(b.inputs for b in batches), strict=True)])
    targets: Iterable[Tensor | None] = [None] * len(batches)
    if first.targets:
        columns = zip(*(b.targets for b in batches), strict=True)
        targets = _hash([torch.stack(column) for column in columns]).unbind()
    statistics = [(math.nan, math.nan)] * len(batches)
    if first.few is not None:
        numbers = torch.stack([b.few for b in batches if b.few is not None]).float()
        stds, means = torch.std_mean(numbers, dim=1, correction=0)
        statistics = list(zip(means.tolist(), stds.tolist(), strict=True))
    return [
        SketchedBatch(batch.step, batch.size, hashes.clone(), own, *numbers)
        for batch, hashes, own, numbers in zip(
            batches, inputs.unbind(), targets, statistics, strict=True
        )
    ]


def _equal_pairs(rows: Int64[Tensor, "n 2"]) -> float:
    counts = rows.unique(dim=0, return_counts=True)[1].double()
    return float((counts * (counts - 1)).sum()) / 2


_spread: dict[tuple[int, torch.device], Tensor] = {}


def _columns(count: int, device: torch.device) -> Tensor:
    """The columns that a hash is made of, spread over `count`."""
    if (count, device) not in _spread:
        if len(_spread) > 64:  # sequences of every length
            _spread.clear()
        _spread[count, device] = torch.linspace(0, count - 1, COLUMNS).long().to(device)
    return _spread[count, device]


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in `value`, but sparse ones: what is spread over a graph has no rows to hash."""
    tensors = [value] if isinstance(value, Tensor) else tensors_of(value).values()
    return [tensor for tensor in tensors if tensor.layout is torch.strided]


def _unrepeated(ordered: Tensor) -> Tensor:
    """Which of numbers in order have no equal beside them."""
    same = ordered[1:] == ordered[:-1]
    none = torch.zeros(1, dtype=torch.bool)
    return ~(torch.cat((same, none)) | torch.cat((none, same)))


def _agreement(true: list[int], fed: list[int], same_form: bool) -> float:
    """The share of pairs (true, fed) that one rule from true to fed explains, beyond what it would
    of pairs drawn at random; 1 where every true target is always fed as the same. nan where that
    cannot be said, as of numbers that are not of the `same_form` in both.
    """
    if not true or len(set(true)) < 2 or len(set(fed)) < 2:
        return math.nan
    if len(set(true)) > len(true) / 4:  # hardly one comes back: no rule can be read from them
        if not same_form:
            return math.nan
        return sum(a == b for a, b in zip(true, fed, strict=True)) / len(true)
    usual: dict[int, Counter[int]] = {}
    for a, b in zip(true, fed, strict=True):
        usual.setdefault(a, Counter())[b] += 1
    explained = sum(counts.most_common(1)[0][1] for counts in usual.values()) / len(true)
    chance = Counter(fed).most_common(1)[0][1] / len(fed)
    return max((explained - chance) / (1 - chance), 0.0)


def _text(hashes: list[Tensor]) -> str:
    if not hashes:
        return ""
    return base64.b64encode(torch.cat([h.cpu() for h in hashes]).numpy().tobytes()).decode()


def _numbers(text: str) -> Tensor:
    content = base64.b64decode(text, validate=True)
    if not content:
        return torch.zeros(0, dtype=torch.int64)
    return torch.frombuffer(bytearray(content), dtype=torch.int64)
