"""A sketch says which rows came back, in what order, and whether they are those of other data."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor

from sevensteps.observe.data_sketch import COLUMNS, MAX_BATCHES, ROWS, DataSketch, hash_rows


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sketch_of(x: Tensor, y: Tensor | None, batches: list[Tensor]) -> DataSketch:
    sketch = DataSketch()
    for step, rows in enumerate(batches):
        sketch.add(step, x[rows], None if y is None else y[rows])
    return sketch


def order(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def test_a_row_has_one_hash_whatever_its_form() -> None:
    images = draw(8, 2, 6, 5)
    expected = hash_rows([images], 8)
    assert expected is not None
    forms = {
        "flat": images.flatten(1),
        "double": images.double(),
        "channels last": images.to(memory_format=torch.channels_last),
        "view": images.repeat(2, 1, 1, 1)[8:],
        "every second": torch.stack((images, images), 1).flatten(0, 1)[::2],
    }
    for name, form in forms.items():
        hashes = hash_rows([form], 8)
        assert hashes is not None, name
        assert torch.equal(hashes, expected), name
    whole = torch.randint(0, 50, (8, 40), generator=torch.Generator().manual_seed(0))
    a, b = hash_rows([whole], 8), hash_rows([whole.int()], 8)
    assert a is not None
    assert b is not None
    assert torch.equal(a, b)


def test_different_rows_have_different_hashes() -> None:
    grid = torch.cartesian_prod(*[torch.arange(10)] * 4)
    for rows in (grid, grid.float(), grid.double() / 10, grid - 5):
        hashes = hash_rows([rows], len(rows), len(rows))
        assert hashes is not None
        assert len(hashes.unique()) == 10_000
    moved = torch.eye(COLUMNS)
    hashes = hash_rows([moved], COLUMNS, COLUMNS)
    assert hashes is not None
    assert len(hashes.unique()) == COLUMNS


def test_all_inputs_count_and_what_has_no_rows_does_not() -> None:
    x, other, mask = draw(6, 3), draw(6, 2, seed=1), draw(4, 4, seed=2)
    alone, both = hash_rows([x], 6), hash_rows([x, other], 6)
    masked = hash_rows([mask, x], 6)
    assert alone is not None
    assert both is not None
    assert masked is not None
    assert not (alone == both).any()
    assert torch.equal(alone, masked)
    assert hash_rows([torch.tensor(1.0)], 0) is None
    sketch = DataSketch()
    sketch.add(0, {"ids": x, "scale": torch.tensor(2.0)}, None)
    sketch.add(1, torch.zeros(0, 3), None)
    sketch.add(2, "no tensor", None)
    assert [batch.step for batch in sketch.batches] == [0]


def test_batches_that_come_back_in_the_same_order_are_repeated_ones() -> None:
    x, y = draw(64, 4), draw(64)
    fixed = list(torch.arange(64).split(16))
    sketch = sketch_of(x, y, fixed * 2)
    assert sketch.repeated_batches() == [(0, 4), (1, 5), (2, 6), (3, 7)]
    shuffled = sketch_of(x, y, [*order(64, 1).split(16), *order(64, 2).split(16)])
    assert shuffled.repeated_batches() == []
    assert (sketch.rows, sketch.distinct_rows) == (128, 64)
    assert shuffled.distinct_rows == 64
    assert sketch.returned_rows() == shuffled.returned_rows() == (64, 64)
    moving = DataSketch()
    for step, rows in enumerate(fixed * 2):
        moving.add(step, x[rows], y[rows] + step)
    assert moving.returned_rows() == (64, 0)


def test_rows_are_found_in_the_data_and_so_are_their_targets() -> None:
    x, y = draw(200, 5), torch.arange(200) % 4
    batches = list(order(200, 3).split(25))
    sketch = sketch_of(x, y, batches)
    comparison = sketch.compare(x.double().view(200, 5, 1), y)
    assert comparison is not None
    assert (comparison.rows, comparison.known, comparison.pairs) == (200, 1.0, 1.0)
    for position, rows in zip(comparison.positions, batches, strict=True):
        assert torch.equal(position, rows)
    one_hot = sketch.compare(x, torch.nn.functional.one_hot(y))
    assert one_hot is not None
    assert one_hot.pairs == 1.0, "in another way, but the same"
    apart = sketch.compare(x, y[order(200, 4)])
    assert apart is not None
    assert apart.pairs < 0.3
    scaled = sketch.compare(x * 2, y)
    assert scaled is not None
    assert scaled.known == 0
    assert math.isnan(scaled.pairs)
    half = sketch.compare(x[:100], y[:100])
    assert half is not None
    assert half.known == 0.5
    assert DataSketch().compare(x, y) is None


def test_numbers_as_targets_agree_only_where_they_are_equal() -> None:
    x, y = draw(96, 3), draw(96, 1, seed=5)
    sketch = sketch_of(x, y, list(order(96, 3).split(32)))
    same, apart = sketch.compare(x, y.view(-1)), sketch.compare(x, y[order(96, 6)])
    scaled = sketch.compare(x, 3 * y)
    assert same is not None
    assert apart is not None
    assert scaled is not None
    assert same.pairs == 1
    assert apart.pairs < 0.1
    assert (same.known_targets, scaled.known_targets) == (1, 0)
    assert math.isnan(scaled.pairs), "fed in another scale: cannot be said"


def test_memory_is_bounded_and_the_first_and_last_batches_stay() -> None:
    sketch, steps = DataSketch(), 3 * MAX_BATCHES
    x = draw(40, 1)
    for step in range(steps):
        sketch.add(step, x + step, torch.zeros(40))
    kept = [batch.step for batch in sketch.batches]
    assert len(kept) <= MAX_BATCHES
    assert kept[:8] == list(range(8))
    assert kept[-100:] == list(range(steps - 100, steps))
    assert kept == sorted(set(kept))
    assert sketch.rows == ROWS * len(kept)
    assert len(json.dumps(sketch.to_dict())) < 2_000_000


@pytest.mark.parametrize("targets", [True, False])
def test_a_sketch_is_written_and_read(targets: bool) -> None:
    sketch = DataSketch()
    for step in range(3):
        sketch.add(step, draw(5 + step, 3, seed=step), draw(5 + step) if targets else None)
    sketch.add(3, torch.zeros(4, 2, dtype=torch.long), torch.ones(4))
    again = DataSketch.from_dict(json.loads(json.dumps(sketch.to_dict()).replace("NaN", "null")))
    for a, b in zip(sketch.batches, again.batches, strict=True):
        assert (a.step, a.size) == (b.step, b.size)
        assert torch.equal(a.inputs, b.inputs)
        assert (a.targets is None) == (b.targets is None)
        if a.targets is not None and b.targets is not None:
            assert torch.equal(a.targets, b.targets)
        assert a.mean == b.mean or (math.isnan(a.mean) and math.isnan(b.mean))
    assert again.repeated_batches() == sketch.repeated_batches()


def test_equal_rows_are_one_sample_where_none_is_twice_in_a_batch() -> None:
    x, y = draw(15, 2), draw(15, seed=1)
    whole = [torch.arange(15)] * 8
    shuffled = [rows for seed in range(12) for rows in order(15, seed).split(4)]
    assert sketch_of(x, y, whole).rows_are_samples()
    assert sketch_of(x, y, shuffled).rows_are_samples()
    assert sketch_of(x, None, whole).rows_are_samples()
    few = torch.cartesian_prod(*[torch.arange(2)] * 4).repeat(20, 1)  # 16 rows, 20 times each
    drawn = [order(len(few), seed)[:32] for seed in range(20)]
    assert not sketch_of(few, None, drawn).rows_are_samples()
    generator = torch.Generator().manual_seed(0)
    with_replacement = [torch.randint(15, (8,), generator=generator) for _ in range(40)]
    assert not sketch_of(x, y, with_replacement).rows_are_samples()


def test_nothing_is_said_of_equal_rows_where_batches_cannot_tell() -> None:
    x = draw(15, 2)
    assert not sketch_of(x, None, [torch.tensor([i % 15]) for i in range(90)]).rows_are_samples()
    assert not sketch_of(draw(400, 2), None, list(torch.arange(400).split(32))).rows_are_samples()
    assert not sketch_of(x, None, [torch.arange(15)]).rows_are_samples()
    assert not DataSketch().rows_are_samples()
