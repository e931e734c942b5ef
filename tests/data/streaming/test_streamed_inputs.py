"""Inputs that stay on disk give the numbers that they would give in memory, each once an epoch, in
an order that can be repeated.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sevensteps.data.inputs import chunks
from sevensteps.data.scaling import Scaling, fit_scaling, identity_scaling
from sevensteps.data.streaming.row_reader import BinaryRowReader
from sevensteps.data.streaming.streamed_inputs import StreamedInputs, stream_rows
from sevensteps.errors import DataError
from tests.data.streaming.conftest import ArrayReader, numbers


class ShortReads(ArrayReader):
    """Reads a few rows at a time, as of large files in proportion."""

    rows_per_read = 7  # type: ignore[assignment]


def small(array: numpy.ndarray, memory: int = 10_000) -> StreamedInputs:
    return stream_rows(ShortReads(array), memory)


# -- reading ---------------------------------------------------------------------------------------


@given(st.data())
def test_any_rows_of_any_part(data: st.DataObject) -> None:
    array = numbers(200, 2)
    chosen = torch.tensor(sorted(data.draw(st.sets(st.integers(0, 199), min_size=1))))
    x = small(array).select(chosen)
    wanted = torch.tensor(data.draw(st.lists(st.integers(0, len(chosen) - 1), min_size=1)))
    assert torch.equal(x[wanted], torch.from_numpy(array)[chosen][wanted])


def test_rows_far_apart_are_not_read_between() -> None:
    rows = ArrayReader(numbers(100_000, 100))
    stream_rows(rows, 1 << 30)[torch.tensor([0, 5, 99_999])]
    assert rows.reads == [(0, 6), (99_999, 100_000)]


@pytest.mark.parametrize("name", ["none", "unit", "standardize"])
@pytest.mark.parametrize("far", [0, 1e6], ids=["near zero", "far from zero"])
def test_scaling_gives_what_it_gives_in_memory(name: str, far: float) -> None:
    array = numpy.random.default_rng(1).normal(far, [1, 5, 0.01], (1000, 3))
    in_memory = torch.from_numpy(array)
    scaling, from_statistics = (
        fit_scaling(name, in_memory),
        fit_scaling(name, stream_rows(ArrayReader(array), 10**6).statistics),
    )
    for field in ("offset", "scale"):
        torch.testing.assert_close(
            getattr(from_statistics, field), getattr(scaling, field), rtol=1e-8, atol=1e-12
        )
    for kind, exact in ((array, 0.0), (array.astype("f4"), 2e-5)):
        if far and kind.dtype == "f4":
            continue  # such numbers float32 does not hold
        torch.testing.assert_close(
            stream_rows(ArrayReader(kind), 10**6).with_scaling(scaling)[:],
            scaling(torch.from_numpy(kind)),
            rtol=0,
            atol=exact,
        )


def test_mapped_or_read_it_is_the_same(rows: BinaryRowReader, tmp_path: Path) -> None:
    scaling = fit_scaling(
        "standardize", torch.rand(9, 3, generator=torch.Generator().manual_seed(0))
    )
    x, content = stream_rows(rows, 2_000).with_scaling(scaling), rows.path.read_bytes()
    array = numpy.frombuffer(content, "f4", offset=4).reshape(300, 3).copy()
    batches = epoch(x, 32)
    assert (rows.mapped is None) == (rows._map is None)
    torch.testing.assert_close(
        torch.cat([b for b, _ in batches]),
        x.scaling(torch.from_numpy(array))[torch.cat([p for _, p in batches])],
    )
    torch.testing.assert_close(torch.cat(list(x.batches(70))), x.scaling(torch.from_numpy(array)))
    assert rows.path.read_bytes() == content
    running = x.shuffled(32, 300, torch.Generator())
    next(running)
    os.utime(rows.path, ns=(1, 1))
    with pytest.raises(DataError, match="has changed since it was opened"):
        list(running)


# -- an epoch --------------------------------------------------------------------------------------


def epoch(
    x: StreamedInputs, size: int, count: int | None = None, skip: int = 0, seed: int = 0
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(
        x.shuffled(
            size, len(x) if count is None else count, torch.Generator().manual_seed(seed), skip
        )
    )


@given(st.integers(1, 300), st.integers(1, 40), st.integers(40, 4000), st.floats(0.2, 1))
def test_every_sample_comes_once_in_whole_batches(
    count: int, size: int, memory: int, share: float
) -> None:
    array = numbers(count, 2, seed=count)
    chosen = torch.nonzero(
        torch.rand(count, generator=torch.Generator().manual_seed(count)) <= share
    )[:, 0]
    if not len(chosen):
        return
    x = small(array, memory).select(chosen)
    batches = epoch(x, size)
    assert [len(batch) for batch, _ in batches[:-1]] == [size] * (len(batches) - 1)
    places = torch.cat([places for _, places in batches])
    assert sorted(places.tolist()) == list(range(len(chosen)))
    assert torch.equal(
        torch.cat([batch for batch, _ in batches]), torch.from_numpy(array)[chosen][places]
    )


@given(st.integers(1, 60), st.integers(1, 9), st.integers(40, 1000), st.booleans())
@pytest.mark.long
def test_skipping_batches_leaves_the_rest_as_it_was(
    count: int, size: int, memory: int, drop_last: bool
) -> None:
    x = small(numbers(count, 2), memory)
    end = count // size * size if drop_last else count
    whole = epoch(x, size, end)
    for skip in range(len(whole) + 2):
        left = epoch(x, size, end, skip)
        assert len(left) == len(whole[skip:])
        for (a, b), (c, d) in zip(left, whole[skip:], strict=True):
            assert torch.equal(a, c)
            assert torch.equal(b, d)


def test_the_order_is_that_of_its_generator() -> None:
    x = small(numbers(200, 2), 400)
    first, again, other = (
        torch.cat([places for _, places in epoch(x, 10, seed=seed)]) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_batches_mix_samples_from_all_over_the_file() -> None:
    """A file sorted by class, as many are: a batch must not come from one place."""
    # a window has a tenth of the file, in 571 stretches
    x = small(numbers(40_000, 2), 8 * 4000 * 8)
    batches = [places.float() for _, places in epoch(x, 256)]
    assert all(len(torch.unique(places // 4000)) == 10 for places in batches)
    means = torch.stack([places.mean() for places in batches[:-1]])
    assert means.std() < 1.5 * 40_000 / 12**0.5 / 256**0.5  # samples drawn one by one have 1
    # of 5715 stretches: three times its spread by chance
    assert abs(stats.spearmanr(torch.cat(batches), range(40_000)).statistic) < 0.04


def test_a_window_has_room_for_a_batch_whatever_the_memory() -> None:
    assert [len(batch) for batch, _ in epoch(small(numbers(50, 2), 1), 20)] == [20, 20, 10]


def test_memory_for_two_windows_is_used_again_in_the_next_epoch() -> None:
    x = small(numbers(500, 2), 2000)
    for seed in range(3):
        epoch(x, 10, seed=seed)
    assert len(x.buffers) == 2
    bytes_in_buffers = sum(buffer.numel() * 4 for buffer in x.buffers)
    assert bytes_in_buffers <= 2000
    running = x.shuffled(10, 500, torch.Generator())
    next(running)
    assert epoch(x, 10)[3][0].shape == (10, 2)  # another epoch beside it takes buffers of its own
    running.close()


def test_what_belongs_to_samples_comes_with_them() -> None:
    array = numbers(100, 2)
    pairs = list(chunks(small(array, 400), torch.arange(100)))
    assert len(pairs) > 1
    assert torch.equal(torch.cat([x for x, _ in pairs]), torch.from_numpy(array))
    assert torch.equal(torch.cat([y for _, y in pairs]), torch.arange(100))


def test_to_changes_what_comes_out() -> None:
    x: Any = small(numbers(10, 2)).to(torch.device("cpu"), torch.float64)
    assert x[:3].dtype == torch.float64
    assert isinstance(x.scaling, Scaling)
    assert x.scaling.name == identity_scaling().name
