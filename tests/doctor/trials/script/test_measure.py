"""How well a network answers, against figures that are known."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.doctor.trials.script.measure import (
    ACCURACY,
    BALANCED,
    NEIGHBOURS,
    R2,
    RANKING,
    UNSEEN,
    answer_quality,
    other_qualities,
    paired_r2,
)

LOGITS = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 5.0]])


@pytest.mark.parametrize(
    ("output", "target", "measure", "value"),
    [
        (LOGITS, torch.tensor([0, 1, 1, 1]), ACCURACY, 0.75),
        (LOGITS, torch.tensor([0, 1, -100, -100]), ACCURACY, 1.0),
        (LOGITS[None], torch.tensor([[0, 1, 1, 0]]), ACCURACY, 0.5),  # [B, T, C]
        (LOGITS.T[None], torch.tensor([[0, 1, 1, 0]]), ACCURACY, 0.5),  # [B, C, T]
        (LOGITS, torch.eye(2)[[0, 1, 1, 1]], ACCURACY, 0.75),  # one column for each class
        (LOGITS[:, :1], torch.tensor([1.0, 0.0, 1.0, 0.0]), RANKING, 1.0),
        (LOGITS[:, :1] * 0, torch.tensor([1.0, 0.0, 1.0, 0.0]), RANKING, 0.5),
        (LOGITS[:, 0], torch.tensor([2.0, 0.0, 3.0, 0.1]), R2, 1.0),
        (LOGITS[:, :1] * 1e9, torch.tensor([2.0, 0.0, 3.0, 0.1]), R2, -1.0),
        (LOGITS[:, 0] * torch.nan, torch.tensor([2.0, 0.0, 3.0, 0.1]), R2, -1.0),
        (LOGITS[:, 0] * torch.nan, torch.tensor([1.0, 0.0, 1.0, 0.0]), RANKING, 0.0),
    ],
)
def test_known_answers(output: Tensor, target: Tensor, measure: str, value: float) -> None:
    quality = answer_quality(output, target)
    assert quality is not None
    assert quality[0] == measure
    assert quality[1] == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize("target", [torch.randn(3), torch.ones(4, 2), None, torch.empty(0)])
def test_what_does_not_belong_together_is_not_measured(target: Tensor | None) -> None:
    assert answer_quality(LOGITS, target) is None


def test_what_comes_later_is_not_seen_by_a_copier() -> None:
    x = torch.randint(5, (40, 9), generator=torch.Generator().manual_seed(0))
    target = torch.cat([x[:, 1:], x[:, :1]], 1)

    def copies(x: Tensor) -> Tensor:
        return F.one_hot(x.roll(-1, 1), 5).float()

    def repeats(x: Tensor) -> Tensor:
        return F.one_hot(x, 5).float()

    for answers in (copies, repeats):
        assert other_qualities(answers(x), target, answers, x)[UNSEEN] < 0.5
    others = other_qualities(repeats(x), x, repeats, x)
    assert others[UNSEEN] == 1.0


def test_collapsed_codes_have_no_neighbours() -> None:
    y = torch.arange(4).repeat(5)
    codes = F.one_hot(y, 4).float()
    for factor, share in ((1.0, 1.0), (0.0, 0.0), (math.nan, 0.0)):
        others = other_qualities(codes * factor, y, lambda x: x, None)
        assert others[NEIGHBOURS] == share


def test_rare_classes_count_as_common_ones() -> None:
    y = torch.tensor([0] * 9 + [1])
    output = torch.tensor([[1.0, 0.0]]).repeat(10, 1)
    assert other_qualities(output, y, lambda x: x, None)[BALANCED] == 0.5


def test_pairs_in_their_order() -> None:
    y = torch.tensor([1.0, 2.0, 3.0])
    assert paired_r2(y[:, None], y) == 1.0
    assert paired_r2(torch.full((3, 1), 2.0), y) == 0.0
    assert paired_r2(y.flip(0), y) == -1.0
