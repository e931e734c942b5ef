"""What a loop calls a reward is read where the loop has it, and nothing else is."""

from __future__ import annotations

import pytest
import torch

from sevensteps.observe.named_rewards import named_reward, sign_of_rewards


@pytest.mark.parametrize(
    ("value", "mean"),
    [
        (torch.tensor([1.0, 0.0]), 0.5),
        (torch.tensor([True, False, False, False]), 0.25),
        ([1, 2.0], 1.5),
        (3, 3.0),
        (True, None),
        ("much", None),
        ([], None),
        ([torch.ones(1)], None),
        (torch.empty(0), None),
    ],
)
def test_the_mean_of_a_reward(value: object, mean: float | None) -> None:
    reward = value
    assert named_reward() == mean
    assert reward is value


def test_without_a_name_there_is_none() -> None:
    gain = torch.ones(3)
    assert named_reward() is None
    assert len(gain) == 3


def test_the_next_name_is_taken_where_the_first_is_no_number() -> None:
    reward, returns = "much", [2.0, 4.0]
    assert named_reward() == 3.0
    assert (reward, returns) == ("much", [2.0, 4.0])


def compared(factors: list[float | None], **own: object) -> int | None:
    rewards, returns = own.get("rewards"), own.get("returns")
    assert rewards is not None or returns is not None
    return sign_of_rewards(factors)


def test_weights_are_rewards_times_a_number() -> None:
    assert compared([0.5, 1.0, -0.25], returns=torch.tensor([1.0, 2.0, -0.5])) == 1
    assert compared([-0.5, -1.0, 0.25], rewards=[1.0, 2.0, -0.5]) == -1
    assert compared([-0.25, 1.0, 0.5], returns=[1.0, 2.0, -0.5]) == 1, "in the graph's order"
    assert compared([3.0, 4.0, 5.0], returns=[1.0, 2.0, 3.0, 4.0, 5.0]) == 1, "read in part"


def test_weights_of_something_else_have_no_sign() -> None:
    assert compared([0.5, 1.0, 0.25], returns=[1.0, 2.0, -0.5]) is None
    assert compared([1.0, 1.0, 1.0], returns=[1.0, 1.0, 1.0]) is None, "they could be anything"
    assert compared([0.5, None, 0.25], returns=[1.0, 2.0, 0.5]) is None
    assert compared([0.5, 1.0], returns=[1.0, 2.0]) is None
