"""What a loop calls a reward is read where the loop has it, and nothing else is."""

from __future__ import annotations

import pytest
import torch

from sevensteps.observe.named_rewards import named_reward


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
