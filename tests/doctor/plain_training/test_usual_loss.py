"""The loss that is usual for each kind of targets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from sevensteps.doctor.plain_training.usual_loss import usual_loss


def case(task: str, target: torch.Tensor) -> Any:
    return SimpleNamespace(task=task, target=target)


def test_classes_yes_or_no_and_numbers() -> None:
    draw = torch.Generator().manual_seed(0)
    scores, labels = torch.randn(6, 3, generator=draw), torch.arange(6) % 3
    loss = usual_loss(case("multiclass", labels), scores, labels[:, None])
    torch.testing.assert_close(loss, F.cross_entropy(scores, labels))
    logit, yes = torch.randn(6, 1, generator=draw), torch.tensor([1, -1, 1, -1, 1, 1])
    loss = usual_loss(case("binary", yes), logit, yes)
    expected = F.binary_cross_entropy_with_logits(logit[:, 0], (yes > 0).float())
    torch.testing.assert_close(loss, expected)
    number = 1000 * torch.randn(50, generator=draw)
    mean = number.mean().expand(50, 1)
    loss = usual_loss(case("regression", number), mean, number)
    assert float(loss) == pytest.approx(49 / 50, rel=1e-4)  # the variance, in units of itself


def test_others_are_refused() -> None:
    with pytest.raises(ValueError, match="tokens"):
        usual_loss(case("tokens", torch.zeros(2)), torch.zeros(2, 3), torch.zeros(2))
    with pytest.raises(ValueError, match="not known"):
        usual_loss(case("multiclass", torch.zeros(2)), None, torch.zeros(2))
