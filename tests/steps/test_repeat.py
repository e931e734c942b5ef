"""The contract table of step 6: every sample once per epoch, in an order that the generator alone
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from sevensteps.errors import ArgumentError, DataError
from sevensteps.seeds import generator
from sevensteps.steps import repeat
from sevensteps.steps.repeat import Repeat, Samples, batches, full_batch, loader


def samples(count: int) -> Samples:
    """Samples whose input and target both hold the sample's number, the target times ten."""
    numbers = torch.arange(count, dtype=torch.float32)
    return Samples(
        numbers[:, None].repeat(1, 2),
        10 * numbers[:, None],
        lambda x, y: (torch.as_tensor(x).float(), torch.as_tensor(y).float()),
    )


def loader_of(count: int, size: int = 8, **options: Any) -> loader:
    held = samples(count)
    return loader(DataLoader(TensorDataset(held.x, held.y), batch_size=min(size, count), **options))


# What makes each value for `count` samples; does it go over all of them, and does it shuffle?
TABLE: dict[str, tuple[Callable[[int], Repeat], bool, bool]] = {
    "batches": (lambda count: batches(min(8, count)), True, True),
    "batches of one": (lambda count: batches(1), True, True),
    "batches of all": (lambda count: batches(count), True, True),
    "batches in order": (lambda count: batches(min(8, count), shuffle=False), True, False),
    "batches, last dropped": (lambda count: batches(min(8, count), drop_last=True), False, True),
    "batches in order, last dropped": (
        lambda count: batches(min(8, count), shuffle=False, drop_last=True),
        False,
        False,
    ),
    "full_batch": (lambda count: full_batch(), True, False),
    "loader in order": (loader_of, True, False),
    "loader, shuffled": (lambda count: loader_of(count, shuffle=True), True, True),
    "loader, last dropped": (
        lambda count: loader_of(count, shuffle=True, drop_last=True),
        False,
        True,
    ),
    "loader of a list": (lambda count: loader([(samples(count).x, samples(count).y)]), True, False),
}


def epoch(value: Repeat, count: int, order: torch.Generator) -> list[list[int]]:
    """The numbers of the samples in each batch of one epoch."""
    found = []
    for x, y in value.epoch(samples(count), order):
        assert x.shape == (len(y), 2)
        assert torch.equal(10 * x[:, :1], y)
        found.append(x[:, 0].int().tolist())
    return found


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


def test_the_table_holds_every_value() -> None:
    made = {type(make(5)).__name__ for make, _, _ in TABLE.values()}
    assert made == set(repeat.__all__) - {"auto"}


@pytest.mark.parametrize("name", TABLE)
@given(count=st.integers(1, 60), seed=st.integers(0, 10**6))
def test_every_sample_comes_once_an_epoch(name: str, count: int, seed: int) -> None:
    make, all_of_them, shuffled = TABLE[name]
    value, order = make(count), generator(seed, "order")
    for _ in range(2):
        found = epoch(value, count, order)
        assert len(found) == value.count(count)
        numbers = flat(found)
        assert len(set(numbers)) == len(numbers)
        assert set(numbers) <= set(range(count))
        assert len(numbers) == count - (0 if all_of_them else count % min(8, count))
        if not shuffled:
            assert numbers == sorted(numbers)


@pytest.mark.parametrize("name", [name for name in TABLE if "loader" not in name])
@pytest.mark.parametrize("count", [1, 5, 16, 29])
def test_the_indices_of_an_epoch_are_those_of_its_batches(name: str, count: int) -> None:
    value, held = TABLE[name][0](count), samples(count)
    one, other = generator(3, "order"), generator(3, "order")
    indices, sizes = value.indices(count, one), []
    assert indices is not None
    gone_over = []
    for _, y in value.epoch(held, other):
        gone_over += (y[:, 0] / 10).long().tolist()
        sizes.append(len(y))
    assert indices.tolist() == gone_over
    assert sizes == [len(part) for part in indices.split(value.size_of(count) or 0)]
    assert torch.equal(one.get_state(), other.get_state())


def test_the_order_of_a_loader_is_not_known_beforehand() -> None:
    value = loader_of(8)
    assert value.indices(8, generator(0, "order")) is None
    assert value.size_of(8) is None


@pytest.mark.parametrize("name", TABLE)
def test_the_order_comes_from_the_generator_alone(name: str) -> None:
    make, _, shuffled = TABLE[name]

    def two_epochs(seed: int) -> list[list[list[int]]]:
        order = generator(seed, "order")
        value = make(40)
        return [epoch(value, 40, order), epoch(value, 40, order)]

    assert two_epochs(0) == two_epochs(0)
    first, second = two_epochs(0)
    assert (flat(first) != flat(second)) == shuffled
    assert (two_epochs(0) != two_epochs(1)) == shuffled


@pytest.mark.parametrize("name", TABLE)
def test_nothing_is_drawn_where_nothing_is_shuffled(name: str) -> None:
    make, _, shuffled = TABLE[name]
    # a loader may draw whatever it likes: it always gets a seed
    if not shuffled and "loader" not in name:
        order = generator(0, "order")
        before = order.get_state()
        epoch(make(40), 40, order)
        assert torch.equal(order.get_state(), before)
    else:
        order = generator(0, "order")
        epoch(make(40), 40, order)
        assert not torch.equal(order.get_state(), generator(0, "order").get_state())


@given(count=st.integers(1, 100), data=st.data(), shuffle=st.booleans(), drop_last=st.booleans())
def test_the_sizes_of_the_batches(
    count: int, data: st.DataObject, shuffle: bool, drop_last: bool
) -> None:
    size = data.draw(st.integers(1, count))
    value = batches(size, shuffle=shuffle, drop_last=drop_last)
    sizes = [len(batch) for batch in epoch(value, count, generator(0, "order"))]
    whole, left = divmod(count, size)
    assert sizes == [size] * whole + ([left] if left and not drop_last else [])
    assert value.count(count) == len(sizes)


def test_unshuffled_batches_are_the_book_s() -> None:
    assert epoch(batches(4, shuffle=False), 10, generator(0, "order")) == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]
    assert epoch(batches(4, shuffle=False, drop_last=True), 10, generator(0, "order")) == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
    ]


def test_a_shuffled_order_is_uniform_enough() -> None:
    order = generator(0, "order")
    firsts = [epoch(batches(5), 5, order)[0][0] for _ in range(500)]
    counts = [firsts.count(number) for number in range(5)]
    # chi-square, 4 degrees of freedom: p < 0.001
    assert sum((count - 100) ** 2 / 100 for count in counts) < 18.5


def test_what_is_dropped_differs_from_epoch_to_epoch() -> None:
    order = generator(0, "order")
    seen = {
        number for _ in range(20) for number in flat(epoch(batches(4, drop_last=True), 7, order))
    }
    assert seen == set(range(7))


def test_class_indices_are_taken_along() -> None:
    held = Samples(
        torch.arange(6.0)[:, None], torch.tensor([0, 1, 2, 3, 4, 5]), lambda x, y: (x, y)
    )
    for x, y in batches(4).epoch(held, generator(0, "order")):
        assert y.dtype == torch.int64
        assert x[:, 0].tolist() == y.tolist()


def test_the_full_batch_is_the_data_themselves() -> None:
    held = samples(7)
    ((x, y),) = full_batch().epoch(held, generator(0, "order"))
    assert x is held.x
    assert y is held.y


@pytest.mark.parametrize(
    ("size", "count", "message"),
    [
        (
            65,
            64,
            "a batch of 65 is larger than the 64 training samples; use batches(64) or full_batch()",
        ),
        (
            256,
            100,
            "a batch of 256 is larger than the 100 training samples; use batches(64) or "
            "full_batch()",
        ),
        (
            20,
            3,
            "a batch of 20 is larger than the 3 training samples; use batches(3) or full_batch()",
        ),
    ],
)
def test_a_batch_larger_than_the_data_is_refused(size: int, count: int, message: str) -> None:
    for value in (batches(size), batches(size, shuffle=False), batches(size, drop_last=True)):
        with pytest.raises(ArgumentError) as refused:
            value.count(count)
        assert str(refused.value) == message


# -- loader ----------------------------------------------------------------------------------------


class Drawing(Dataset[tuple[Tensor, Tensor]]):
    """A dataset that augments: it draws from PyTorch's global generator for each sample."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return torch.rand(2), torch.zeros(1)


class Stream(IterableDataset[int]):
    """A dataset without a length."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


def test_what_a_dataset_draws_is_repeatable_and_leaves_no_trace() -> None:
    value, found = loader(DataLoader(Drawing(), batch_size=5, shuffle=True)), []
    for seed in (0, 0, 1):
        before = torch.random.get_rng_state()
        order = generator(seed, "order")
        for x, _ in value.epoch(samples(12), order):
            found.append(x)
            # also while the loop is at work
            assert torch.equal(torch.random.get_rng_state(), before)
        assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one, other) for one, other in zip(found[:3], found[3:6], strict=True))
    assert not torch.equal(found[0], found[6])


@pytest.mark.draws
def test_what_the_training_draws_does_not_reach_the_loader() -> None:
    value, orders = loader_of(12, 4, shuffle=True), []
    for noise in (0, 5):
        found = []
        for x, _ in value.epoch(samples(12), generator(0, "order")):
            torch.rand(noise)
            found += x[:, 0].int().tolist()
        orders.append(found)
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == list(range(12))


def test_what_the_loader_gives_is_encoded() -> None:
    held = Samples(
        torch.zeros(4, 2),
        torch.zeros(4, 1),
        lambda x, y: (2 * torch.tensor(x), torch.tensor(y) + 1),
    )
    ((x, y),) = loader([([[1.0, 2.0]], [[3.0]])]).epoch(held, generator(0, "order"))
    assert (x.tolist(), y.tolist()) == ([[2.0, 4.0]], [[4.0]])


@pytest.mark.parametrize(
    ("batch", "seen"),
    [
        (torch.zeros(3, 2), "Tensor"),
        ({"x": 1, "y": 2}, "dict"),
        ((1, 2, 3), "tuple"),
        ([torch.zeros(1)], "list"),
        (None, "NoneType"),
        ("xy", "str"),
    ],
)
def test_what_is_no_pair_is_refused(batch: Any, seen: str) -> None:
    with pytest.raises(DataError) as refused:
        list(
            loader([(torch.zeros(2, 2), torch.zeros(2, 1)), batch]).epoch(
                samples(4), generator(0, "order")
            )
        )
    assert str(refused.value) == f"the loader gave a {seen}; a batch must be a pair (x, y)"


@pytest.mark.parametrize(
    ("held", "seen"),
    [
        (3, "int"),
        (None, "NoneType"),
        ("digits", "str"),
        (iter([(1, 2)]), "list_iterator"),
        ((pair for pair in [(1, 2)]), "generator"),
        (DataLoader(Stream()), "DataLoader"),
    ],
)
def test_what_cannot_be_gone_over_again_is_refused(held: Any, seen: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        loader(held)
    assert str(refused.value) == (
        f"loader takes a DataLoader, or a list of (x, y) batches, not a {seen}; "
        "it must have a length and allow going over it again"
    )


def test_a_loader_without_batches_is_refused() -> None:
    held = samples(3)
    for empty in ([], DataLoader(TensorDataset(held.x, held.y), batch_size=5, drop_last=True)):
        with pytest.raises(
            DataError, match=r"^the loader has no batches; check its dataset and drop_last$"
        ):
            loader(empty).count(3)


def test_a_loader_is_the_same_where_its_batches_are_the_same_object() -> None:
    held = [(torch.zeros(3, 2), torch.zeros(3, 1))] * 2
    assert loader(held) == loader(held)
    assert hash(loader(held)) == hash(loader(held))
    assert loader(held) != loader(list(held))
    assert loader(held) != batches(2)
    assert repr(loader(held)) == "loader(<list of 2 batches>)"
    assert repr(loader_of(20)) == "loader(<DataLoader of 3 batches>)"


@pytest.mark.parametrize(
    ("count", "options", "chosen", "reason"),
    [
        (20, {}, "full_batch()", "20 samples fit into one batch, which gives the exact gradient"),
        (64, {}, "full_batch()", "64 samples fit into one batch, which gives the exact gradient"),
        (
            20,
            {"size": 5},
            "batches(5)",
            "5 of 20 samples give a good enough gradient for many cheap steps; shuffled, so that "
            "no batch is one-sided",
        ),
        (
            20,
            {"shuffle": False},
            "batches(20, shuffle=False)",
            "20 of 20 samples give a good enough gradient for many cheap steps",
        ),
        (
            1437,
            {},
            "batches(64)",
            "64 of 1437 samples give a good enough gradient for many cheap steps; shuffled, so "
            "that no batch is one-sided",
        ),
        (
            60000,
            {},
            "batches(256)",
            "256 of 60000 samples give a good enough gradient for many cheap steps; shuffled, so "
            "that no batch is one-sided",
        ),
    ],
)
def test_auto_takes_what_fits(
    count: int, options: dict[str, int], chosen: str, reason: str
) -> None:
    value, why = repeat.choose(count, **options)
    assert (repr(value), why) == (chosen, reason)
    assert value.count(count) >= 1
