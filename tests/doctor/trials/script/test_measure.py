"""How well a network answers, against figures that are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sevensteps.doctor.trials.script.measure import ACCURACY, R2, RANKING, answer_quality

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
