"""Validation samples that are training samples, too: a part of `train_valid_mismatch`."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from sevensteps.data.duplicates import count_duplicates
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import significant

STEP = "repeat"
ROWS = 5000  # that are compared where not all can be
SHARED = 0.1  # share of validation rows that are training rows too, beyond what chance gives


def copied_samples(case: Case) -> Finding | None:
    """Validation samples that are training samples, beyond what chance gives."""
    assert case.train is not None
    assert case.valid is not None
    train, valid = case.train[0], case.valid[0]
    shared, by_chance = case.of_data(
        "share of copies", lambda: (_shared(*_with_amounts(case)), _copies_by_chance(train))
    )
    # judging by the very training data is a choice that everybody sees
    chosen = train.data_ptr() == valid.data_ptr()
    if not shared > SHARED + by_chance or chosen:
        return None
    return Finding(
        "train_valid_mismatch",
        STEP,
        "warning",
        0.85,
        f"{shared:.0%} of the validation samples are in the training data too: the validation "
        "score measures memory.",
        [
            Measure(
                "validation rows that are training rows",
                significant(shared),
                f"below {SHARED + by_chance:.2g}",
                "exact copies",
            )
        ],
        [Remedy({}, "both parts then ask the same question", "drop duplicates before the split")],
        {},
        None,
    )


def _copies_by_chance(train: Tensor) -> float:
    """The share of training rows that another training row equals, where no column varies freely:
    in a table of few values a random split has about as many copies on either side.
    """
    some = train[:ROWS].detach().cpu().flatten(1)
    if max(len(column.unique()) for column in some.T[:200]) > len(some) / 2:
        return 0.0  # numbers that vary freely are not alike by chance
    rows = [row.tobytes() for row in some.numpy()]
    times = Counter(rows)
    return sum(times[row] > 1 for row in rows) / len(rows)


def _with_amounts(case: Case) -> list[Tensor]:
    """The inputs of both parts as rows, with the targets where these are amounts: a copy has the
    target, too, while rows that are alike by chance have not.
    """
    assert case.train is not None
    assert case.valid is not None
    if case.task != "regression" or len(case.train[1]) != len(case.train[0]):
        return [case.train[0], case.valid[0]]
    return [
        torch.cat([x.flatten(1), y.reshape(len(x), -1).to(x)], 1)
        for x, y in (case.train, case.valid)
    ]


def _shared(train: Tensor, valid: Tensor) -> float:
    """The share of validation inputs that are training inputs, of all where they can be compared;
    tables of few values are left out.
    """
    some = train[:ROWS].detach().cpu().flatten(1)
    if some.shape[1] < 3 or len({row.tobytes() for row in some.numpy()}) < 0.5 * len(some):
        return 0.0
    valid = valid.to(train.dtype)
    copies = count_duplicates(train, valid)
    if copies is None:
        train, valid = train[:ROWS], valid[:ROWS]
        copies = count_duplicates(train, valid)
    return (copies or 0) / len(valid)
