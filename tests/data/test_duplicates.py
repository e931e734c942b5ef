"""Samples in both parts: counted exactly, against every row compared with every other, and said
before the training.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sevensteps as ss
from sevensteps.cli.training_output import duplicates_warning
from sevensteps.data import duplicates as module
from sevensteps.data.duplicates import count_duplicates
from tests.data.copies import with_copies


@given(
    st.integers(1, 200),
    st.integers(1, 4),
    st.integers(0, 2**31),
    st.sampled_from([torch.float32, torch.float64, torch.uint8]),
)
def test_the_count_is_that_of_comparing_all_with_all(
    columns: int, values: int, seed: int, dtype: torch.dtype
) -> None:
    draw = np.random.default_rng(seed)
    train, valid = (
        torch.from_numpy(draw.integers(0, values, (rows, columns))).to(dtype) for rows in (30, 20)
    )
    valid[::3] = train[draw.integers(0, 30, 7)]
    valid[::6, columns // 2 : columns // 2 + 1] += 1  # few that are alike but for one number
    expected = sum(any(bool((row == other).all()) for other in train) for row in valid)
    assert count_duplicates(train, valid) == expected
    assert (
        count_duplicates(train.reshape(30, columns, 1, 1), valid.reshape(20, columns, 1, 1))
        == expected
    )


def test_zero_is_zero_whatever_its_sign() -> None:
    assert (
        count_duplicates(torch.tensor([[0.0, -0.0]]), torch.tensor([[-0.0, 0.0], [0.0, 1.0]])) == 1
    )


def test_rows_that_are_alike_in_the_middle_only() -> None:
    train = torch.zeros(500, 300)
    train[:, 0] = torch.arange(500)
    valid = train[:100].clone()
    valid[::2, -1] = 1
    assert count_duplicates(train, valid) == 50
    assert count_duplicates(train, train) == 500
    assert count_duplicates(train, valid[:, :200]) == 0


def test_too_many_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NUMBERS", 99)
    assert count_duplicates(torch.zeros(40, 2), torch.zeros(10, 2)) is None
    data = ss.data.load("blobs")
    assert data.duplicates is None
    assert duplicates_warning(data) == (
        "There are too many samples to check whether some are both training and validation samples."
    )


def test_the_doctor_counts_all_of_them() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(12_000, 4)).astype(np.float32)
    y = (x[:, 0] + draw.normal(size=len(x)) > 0).astype(int)
    # beyond the first 5,000
    copies = (
        np.concatenate([x[6_000:6_600], x[9_000:]]),
        np.concatenate([y[6_000:6_600], y[9_000:]]),
    )
    run = ss.train(
        ss.data.from_arrays(x[:9_000], y[:9_000], valid=copies),
        predict="linear()",
        stop="epochs(1)",
        out=False,
    )
    mismatch = next(
        finding for finding in run.findings if finding.condition == "train_valid_mismatch"
    )
    assert mismatch.explanation.startswith(
        "17% of the validation samples are in the training data too"
    )


def test_it_stands_in_the_run() -> None:
    assert ss.train(with_copies(7), stop="epochs(1)", out=False).summary["data"]["duplicates"] == 7
