"""Small models of several kinds tell targets that follow from inputs, and no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.probes import TELLS, relation_across, strongest_relation
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws
Data = tuple[Tensor, Tensor, str]


def relation(x: Tensor, y: Tensor, task: str) -> float | None:
    case = Case(Observation(network_facts(nn.Identity())), None, train=(x, y))
    vars(case).update(task=task)
    return strongest_relation(case)


def relation_of_several(inputs: tuple[Tensor, ...], y: Tensor, task: str) -> float | None:
    case = Case(Observation(network_facts(nn.Identity())), None)
    case.data = {"train": (inputs, y)}
    vars(case).update(task=task)
    return strongest_relation(case)


def words_and_lengths(draw: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor, str]:
    words, lengths = (
        torch.randint(1, 9, (500, 12), generator=draw),
        torch.randint(6, 13, (500,), generator=draw),
    )
    words[torch.arange(12) >= lengths[:, None]] = 0
    return (words, lengths), ((words == 3).sum(1) > 0).long(), "binary"


def same_or_not(draw: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor, str]:
    kinds, y = (
        torch.randn(6, 1, 5, 5, generator=draw),
        torch.randint(2, (600,), generator=draw),
    )
    one = torch.randint(6, (600,), generator=draw)
    other = torch.where(y == 1, one, (one + torch.randint(1, 6, (600,), generator=draw)) % 6)
    noise = 0.3 * torch.randn(2, 600, 1, 5, 5, generator=draw)
    return (kinds[one] + noise[0], kinds[other] + noise[1]), y, "binary"


def users_beside_items(draw: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor, str]:
    pairs, y, task = users_and_items(draw)
    return tuple(pairs.unbind(1)), y, task


@pytest.mark.parametrize("data", [words_and_lengths, same_or_not, users_beside_items])
def test_several_inputs_are_asked_together(
    data: Callable[[torch.Generator], tuple[tuple[Tensor, ...], Tensor, str]],
) -> None:
    inputs, y, task = data(torch.Generator().manual_seed(0))
    follows = relation_of_several(inputs, y, task)
    assert follows is not None
    assert follows > 2 * TELLS
    shuffled = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(9))]
    apart = relation_of_several(inputs, shuffled, task)
    assert apart is not None
    assert apart < TELLS


def test_two_inputs_of_other_shapes_are_not_asked() -> None:
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(400, 3, generator=draw), torch.randn(400, 5, generator=draw)
    assert relation_of_several(inputs, torch.arange(400) % 2, "binary") is None


def word_anywhere(draw: torch.Generator) -> Data:
    letters = torch.randint(4, (700, 24), generator=draw)
    y = torch.randint(2, (700,), generator=draw)
    starts = torch.randint(20, (700,), generator=draw)
    for row in y.nonzero().flatten().tolist():
        letters[row, starts[row] : starts[row] + 4] = torch.tensor([3, 0, 3, 1])
    return letters, y, "binary"


def same_word_one_hot(draw: torch.Generator) -> Data:
    letters, y, task = word_anywhere(draw)
    return F.one_hot(letters, 4).float().transpose(1, 2), y, task


def bar_anywhere(draw: torch.Generator) -> Data:
    x, y = (
        0.3 * torch.randn(500, 1, 10, 10, generator=draw),
        torch.randint(2, (500,), generator=draw),
    )
    at = torch.randint(7, (500, 2), generator=draw)
    for row, (top, left) in enumerate(at.tolist()):
        if y[row]:
            x[row, 0, top, left : left + 4] += 1
        else:
            x[row, 0, top : top + 4, left] += 1
    return x, y, "binary"


def users_and_items(draw: torch.Generator) -> Data:
    pairs = torch.stack([torch.randint(n, (3000,), generator=draw) for n in (50, 40)], 1)
    users, items = (torch.randn(n, 2, generator=draw) for n in (50, 40))
    return pairs, (users[pairs[:, 0]] * items[pairs[:, 1]]).sum(1), "regression"


def table(draw: torch.Generator) -> Data:
    x = torch.randn(600, 5, generator=draw)
    return x, (x[:, :1] * x[:, 1:2]).sign(), "regression"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "data", [word_anywhere, same_word_one_hot, bar_anywhere, users_and_items, table]
)
def test_what_follows_is_told_and_what_was_shuffled_is_not(
    data: Callable[[torch.Generator], Data], seed: int
) -> None:
    x, y, task = data(torch.Generator().manual_seed(seed))
    follows = relation(x, y, task)
    assert follows is not None
    assert follows > 2 * TELLS
    apart = relation(x, y[torch.randperm(len(y), generator=torch.Generator().manual_seed(9))], task)
    assert apart is not None
    assert apart < TELLS


def test_few_samples_and_other_tasks_are_not_asked() -> None:
    x = torch.randn(100, 4)
    assert relation(x, (x[:, 0] > 0).long(), "binary") is None
    assert relation(torch.randn(400, 4), torch.randint(2, (400, 3)), "multilabel") is None


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("data", [word_anywhere, bar_anywhere, table])
def test_a_relation_that_holds_in_both_parts_or_in_one(
    data: Callable[[torch.Generator], Data], seed: int
) -> None:
    x, y, task = data(torch.Generator().manual_seed(seed))
    half = len(x) // 2
    order = torch.randperm(len(x) - half, generator=torch.Generator().manual_seed(9))
    for valid_y, holds in ((y[half:], True), (y[half:][order], False)):
        parts = {"train": (x[:half], y[:half]), "valid": (x[half:], valid_y)}
        case = Case(Observation(network_facts(nn.Identity())), None, **parts)
        vars(case).update(task=task)
        relation = relation_across(case)
        assert relation is not None
        assert relation[0] > 0.25
        assert (relation[1] > 0.25) is holds
