"""One seed gives each purpose numbers of its own, the same every time; code that is not ours leaves
no trace.
"""

from __future__ import annotations

import hashlib
import itertools
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sevensteps.errors import ArgumentError
from sevensteps.seeds import PURPOSES, Isolation, derive, generator, isolated_generators


def numbers(draw: torch.Generator, count: int = 4) -> list[float]:
    return torch.rand(count, generator=draw).tolist()


def test_the_purposes_are_those_of_the_design() -> None:
    assert PURPOSES == ("initialize", "split", "order", "dropout", "augment", "race")


@given(seed=st.integers(0, 2**70), purpose=st.sampled_from(PURPOSES))
def test_a_purpose_s_seed_is_the_hash_of_both(seed: int, purpose: str) -> None:
    assert derive(seed, purpose) == int(
        hashlib.sha256(f"{seed}/{purpose}".encode()).hexdigest()[:8], 16
    )
    assert 0 <= derive(seed, purpose) < 2**32


def test_the_same_seed_gives_the_same_numbers_on_every_machine() -> None:
    assert derive(0, "initialize") == 2_642_306_254
    assert derive(0, "order") == 2_436_320_598


@given(seed=st.integers(0, 2**40), purpose=st.sampled_from(PURPOSES))
def test_a_generator_repeats_its_numbers(seed: int, purpose: str) -> None:
    assert numbers(generator(seed, purpose)) == numbers(generator(seed, purpose))


def test_neighbouring_seeds_and_purposes_have_nothing_in_common() -> None:
    drawn = [
        numbers(generator(seed, purpose))
        for seed, purpose in itertools.product(range(50), PURPOSES)
    ]
    assert len({first for first, *_ in drawn}) == len(drawn)


def test_what_one_purpose_draws_shifts_no_other() -> None:
    one, other = generator(0, "initialize"), generator(0, "order")
    numbers(one, 1000)
    assert numbers(other) == numbers(generator(0, "order"))


@pytest.mark.parametrize(
    ("seed", "purpose", "message"),
    [
        (
            0,
            "shuffle",
            "purpose has no option 'shuffle'; known: augment, dropout, initialize, order, race, "
            "split",
        ),
        (0, "orders", "purpose has no option 'orders'; did you mean 'order'?"),
        (-1, "order", "seed must be at least 0, not -1"),
        (1.0, "order", "seed must be a whole number, not 1.0"),
        (True, "order", "seed must be a whole number, not True"),
    ],
)
def test_bad_seeds_and_purposes_are_refused(seed: int, purpose: str, message: str) -> None:
    for make in (derive, generator):
        with pytest.raises(ArgumentError) as refused:
            make(seed, purpose)
        assert str(refused.value) == message


# -- code that is not ours -------------------------------------------------------------------------


def test_isolated_code_leaves_no_trace_and_repeats() -> None:
    before = torch.random.get_rng_state()
    found = []
    for _ in range(2):
        isolation = Isolation(generator(3, "dropout"))
        with isolation:
            found.append(torch.rand(5).tolist())
    assert found[0] == found[1]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_isolated_blocks_go_on_where_the_last_one_stopped() -> None:
    parts, whole = Isolation(generator(0, "order")), Isolation(generator(0, "order"))
    with parts:
        first = torch.rand(3).tolist()
    with parts:
        second = torch.rand(3).tolist()
    with whole:
        assert torch.rand(3).tolist() + torch.rand(3).tolist() == first + second
    assert first != second


@pytest.mark.draws
def test_what_is_drawn_outside_does_not_reach_inside() -> None:
    quiet, loud = Isolation(generator(0, "order")), Isolation(generator(0, "order"))
    with quiet:
        wanted = torch.rand(3).tolist()
    torch.rand(100)
    with loud:
        assert torch.rand(3).tolist() == wanted


def test_two_isolations_from_one_generator_differ() -> None:
    source = generator(0, "order")
    found = []
    for isolation in (Isolation(source), Isolation(source)):
        with isolation:
            found.append(torch.rand(3).tolist())
    assert found[0] != found[1]


def test_isolation_survives_what_goes_wrong_inside() -> None:
    before = torch.random.get_rng_state()
    isolation = Isolation(generator(0, "order"))

    def fail() -> None:
        torch.rand(3)
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match=r"^inside$"), isolation:
        fail()
    assert torch.equal(torch.random.get_rng_state(), before)
    twin = Isolation(generator(0, "order"))
    with twin:
        torch.rand(3)
        wanted = torch.rand(2).tolist()
    with isolation:
        assert torch.rand(2).tolist() == wanted


def test_the_global_seed_changes_nothing() -> None:
    with torch.random.fork_rng(devices=[]):
        found = []
        for seed in (1, 2):
            torch.random.default_generator.manual_seed(seed)
            isolation = Isolation(generator(0, "order"))
            with isolation:
                found.append((numbers(generator(0, "split")), torch.rand(3).tolist()))
    assert found[0] == found[1]


def test_isolated_generators_begin_alike_and_leave_no_trace() -> None:
    def draw() -> tuple[float, float, float]:
        return torch.rand(()).item(), float(np.random.rand()), random.random()

    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    with isolated_generators():
        first = draw()
    with isolated_generators():
        assert draw() == first
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert random.getstate() == before[2]


def test_isolated_numbers_follow_from_their_seed() -> None:
    def drawn(seed: int) -> list[float]:
        with isolated_generators(seed):
            return [float(torch.rand(())), float(np.random.rand()), random.random()]

    assert drawn(1) == drawn(1)
    assert all(a != b for a, b in zip(drawn(0), drawn(1), strict=True))
