"""Splitting: a partition that keeps the balance of the classes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sevensteps.data.split import split_indices
from sevensteps.errors import ArgumentError
from sevensteps.seeds import generator


@given(
    labels=st.lists(st.integers(0, 4), max_size=60),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 100),
)
def test_a_split_is_a_partition_that_keeps_the_balance(
    labels: list[int], share: float, seed: int
) -> None:
    strata = torch.tensor(labels, dtype=torch.int64)
    train, valid = split_indices(len(labels), share, generator(seed, "split"), strata)
    assert sorted([*train.tolist(), *valid.tolist()]) == list(range(len(labels)))
    for group in range(5):
        size, valid_count = labels.count(group), int((strata[valid] == group).sum())
        if size >= 2:
            assert 1 <= valid_count <= size - 1
            assert abs(valid_count - share * size) <= max(0.5, share, 1 - share)
        else:
            assert valid_count == 0


def test_a_split_is_drawn_and_shuffled() -> None:
    drawn = [split_indices(1000, 0.2, generator(seed, "split")) for seed in (0, 0, 1)]
    assert [len(part) for part in drawn[0]] == [800, 200]
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert not torch.equal(drawn[0][0], drawn[2][0])
    for part in drawn[0]:
        assert not torch.equal(part, part.sort().values)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_leaves_a_part_empty_is_refused(share: float) -> None:
    with pytest.raises(ArgumentError, match="share must be"):
        split_indices(10, share, generator(0, "split"))
