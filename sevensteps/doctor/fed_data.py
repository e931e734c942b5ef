"""What the batches say, as they were fed: of the order of the data, and whether they are those that
the doctor was given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from sevensteps.doctor.case import Case
from sevensteps.observe.data_sketch import Comparison

LEAST_ROWS = 64  # fewer say nothing
REPEATED = 3  # batches that come back make an order
CONSECUTIVE = 0.9  # share of rows that follow each other in the data, of data in order
LEAST_MOVED, SAME = 32, 0.95  # samples fed; share of them that were moved alike
COMPLETE = 4  # times that a batch came, on average, before none is missing


@dataclass(frozen=True)
class FewRows:
    """A training on few rows of the data: `batches` that came again and again, or about `rows` rows
    in ever other batches (`batches` is 0), out of `available`.
    """

    batches: int
    rows: int
    available: int


def comparison(case: Case) -> Comparison | None:
    """The batches fed, row by row, against the training data; None where either is missing."""
    if case.train is None:
        return None
    compared = case.observation.sketch.compare(*case.train)
    return compared if compared is not None and compared.rows >= LEAST_ROWS else None


def targets_move(case: Case) -> bool:
    """Whether inputs came back with other targets than before: targets that are computed on the
    way, as by another network, are no data.
    """
    back, same = case.observation.sketch.returned_rows()
    return back >= LEAST_ROWS and same < back / 2


def in_order(case: Case) -> bool | None:
    """Whether the data were fed in an order that is always the same; None where nothing is known of
    the batches as they were fed.
    """
    sketch = case.observation.sketch
    if not sketch.batches:
        return None
    repeated = [later for earlier, later in sketch.repeated_batches() if later > earlier + 1]
    if len(repeated) >= REPEATED + sketch.chance_repeats():
        return True
    compared = comparison(case)
    if compared is None or compared.known < CONSECUTIVE:
        return False
    steps = [
        (after - before == 1).double().mean()
        for p in compared.positions
        for before, after in [(p[:-1], p[1:])]
        if len(p) > 1
    ]
    return bool(steps) and float(sum(steps)) / len(steps) >= CONSECUTIVE


def fed_in_another_order(case: Case) -> int:
    """How many of the samples that were fed have all numbers of a training sample, every one of
    them moved from its place to another, the same for all samples; 0 where it is not so of nearly
    all of them.
    """
    fed = case.observation.x
    if case.train is None or fed is None or fed.shape[1:] != case.train[0].shape[1:]:
        return 0
    data = case.train[0].detach().cpu().flatten(1)
    fed = fed.detach().cpu().flatten(1)
    if not fed.is_floating_point() or fed.dtype != data.dtype or len(fed) < LEAST_MOVED:
        return 0
    places = {tuple(row): at for at, row in enumerate(data.sort(1).values.tolist())}
    pairs = [
        (row, data[at])
        for row, numbers in zip(fed, fed.sort(1).values.tolist(), strict=True)
        if (at := places.get(tuple(numbers))) is not None
    ]
    if len(pairs) < SAME * len(fed):
        return 0
    # where each number of a sample without equal ones came from
    moves = [
        b.argsort()[a.argsort().argsort()] for a, b in pairs if len(a.unique()) == a.numel() > 1
    ]
    if not moves or torch.equal(moves[0], torch.arange(len(moves[0]))):
        return 0
    moved = sum(bool(torch.equal(a, b[moves[0]])) for a, b in pairs)
    return moved if moved >= SAME * len(fed) else 0


def few_rows(case: Case) -> FewRows | None:
    """Whether only a small part of the training data was ever fed, though there was time for all
    of them; None where not. Of the data, too, only rows that differ count.
    """
    compared, batches = comparison(case), case.observation.sketch.batches
    if compared is None or case.train is None or compared.known < CONSECUTIVE:
        return None
    available, size = compared.available, max(batch.size for batch in batches)
    different = len({(b.size, *b.inputs.tolist()) for b in batches})
    if len(batches) >= COMPLETE * different + REPEATED:
        rows = min(different * size, available)
        return FewRows(different, rows, available) if rows <= available / 4 else None
    if len(batches) - different >= REPEATED:
        return None  # always in the same order: not all have been seen
    rows = case.observation.sketch.distinct_rows
    expected = available * (1 - math.exp(-compared.rows / available))
    if compared.rows >= COMPLETE * rows and rows <= expected / 4:
        return FewRows(0, rows, available)
    return None
