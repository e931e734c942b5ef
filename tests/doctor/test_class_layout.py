"""Where the classes lie in memory, in what the last layer gives and in what the loss takes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.class_layout import Unmoved, classes_viewed

pytestmark = pytest.mark.draws


def viewed(
    model: nn.Module, rows: Tensor, target: Tensor, shape: tuple[int, ...]
) -> Unmoved | None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer) as watch:
        for _ in range(3):
            loss = F.cross_entropy(model(rows).view(shape), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=target)
    return classes_viewed(watch.diagnose().case)


def test_units_of_a_linear_layer_are_its_last_axis() -> None:
    model, rows, target = nn.Linear(2, 3), torch.randn(4, 5, 2), torch.randint(3, (4, 5))
    found = viewed(model, rows, target, (4, 3, 5))
    assert found is not None
    assert (found.classes, found.apart, found.apart_in_loss) == (3, 1, 5)
    assert viewed(model, rows, target.flatten(), (20, 3)) is None


def test_channels_lie_a_whole_picture_apart() -> None:
    model, rows = nn.Conv2d(1, 3, 1), torch.randn(4, 1, 5, 2)
    found = viewed(model, rows, torch.randint(3, (40,)), (40, 3))
    assert found is not None
    assert (found.apart, found.apart_in_loss) == (10, 1)
    assert viewed(model, rows, torch.randint(3, (4, 10)), (4, 3, 10)) is None


def test_units_that_may_be_places_are_not_judged() -> None:
    rows, target = torch.randn(4, 3, 2), torch.randint(3, (4, 3))
    assert viewed(nn.Linear(2, 3), rows, target, (4, 3, 3)) is None
