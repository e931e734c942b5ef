"""Scores that fall are told from those that wander."""

from __future__ import annotations

import math
import random

import pytest

from sevensteps.doctor.falling_scores import fallen_rewards, falling_parts


def walk(random_numbers: random.Random, reports: int, noise: float) -> list[float]:
    scores, at = [], 0.0
    for _ in range(reports):
        at += random_numbers.gauss(0, 1)
        scores.append(at + noise * random_numbers.gauss(0, 1))
    return scores


@pytest.mark.parametrize("reports", [60, 300])
@pytest.mark.parametrize("noise", [0.0, 3.0])
@pytest.mark.sampled(1)
def test_scores_that_wander_are_no_fall(reports: int, noise: float) -> None:
    walks = [walk(random.Random(seed), reports, noise) for seed in range(400)]
    assert sum(falling_parts(scores) is not None for scores in walks) <= 0.1 * len(walks)


def test_scores_that_fall_to_nothing_are_seen_below_their_noise() -> None:
    seen = 0
    for seed in range(100):
        numbers = random.Random(seed)
        shares = [0.25 * math.exp(-step / 50) for step in range(300)]
        scores = [sum(numbers.random() < p for _ in range(64)) / 64 for p in shares]
        seen += falling_parts(scores) is not None
        assert falling_parts([-score for score in scores]) is None
    assert seen >= 95


def test_rewards_in_few_looks() -> None:
    falling = [0.3, 0.35, 0.28, 0.31, 0.33, 0.2, 0.1, 0.05, 0.0]
    assert fallen_rewards(falling) is not None
    assert fallen_rewards(falling[::-1]) is None
    assert fallen_rewards(falling[:6]) is None
    assert fallen_rewards([0.3, 0.0, 0.6, 0.1, 0.5, 0.4, 0.2, 0.1, 0.1]) is None
