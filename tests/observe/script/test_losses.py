"""The loss of a step, and its target, read from PyTorch's graph."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.observe.script.losses import BackwardLoss, TargetReader, sum_of

OUTPUT = torch.linspace(-1, 1, 12).reshape(4, 3)
CLASSES = torch.tensor([0, 2, 1, 1])


@pytest.mark.parametrize("name", ["cross_entropy", "mse", "bce", "smooth", "sum of two"])
def test_the_target_comes_from_the_graph(name: str) -> None:
    output = OUTPUT.clone().requires_grad_()
    numbers = torch.full((4, 3), 0.25)
    losses = {
        "cross_entropy": (lambda: F.cross_entropy(output, CLASSES), CLASSES),
        "mse": (lambda: F.mse_loss(output, numbers), numbers),
        "bce": (lambda: F.binary_cross_entropy_with_logits(output, numbers), numbers),
        "smooth": (lambda: F.smooth_l1_loss(output, numbers), numbers),
        "sum of two": (lambda: output.pow(2).mean() + F.mse_loss(output, numbers), numbers),
    }
    compute, target = losses[name]
    reader = TargetReader()
    assert reader.target(compute(), search=False) is None
    found = reader.target(compute(), search=True)
    assert found is not None
    assert torch.equal(found, target)
    # the next step is read the same way, without a search
    again = reader.target(compute(), search=False)
    assert again is not None
    assert torch.equal(again, target)


def test_a_flattened_target_comes_back_in_its_shape() -> None:
    output = torch.zeros(2, 3, 5, requires_grad=True)
    target = torch.tensor([[0, 1, 2], [3, 4, 0]])
    loss = F.cross_entropy(output.view(-1, 5), target.view(-1))
    found = TargetReader().target(loss, search=True)
    assert found is not None
    assert found.shape == (2, 3)


def test_no_target_is_none_and_a_loss_after_backward_too() -> None:
    output = OUTPUT.clone().requires_grad_()
    reader = TargetReader()
    assert reader.target((output**2).mean(), search=True) is None
    loss = F.cross_entropy(output, CLASSES)
    loss.backward()
    assert reader.target(loss, search=True) is None


def test_the_loss_of_a_step_is_the_sum_of_its_backward_passes() -> None:
    def loss(value: float, inside: bool = False) -> BackwardLoss:
        return BackwardLoss(torch.tensor(value), inside)

    assert sum_of([loss(1.0), loss(2.5)]) == 3.5
    # LBFGS asks many times within one step: the first is the loss before it
    assert sum_of([loss(1.0), loss(0.5, True), loss(0.1, True)]) == 0.5


def test_the_sum_keeps_its_graph() -> None:
    weights = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        total: Tensor = sum_of([BackwardLoss(weights.sum().detach()), BackwardLoss(weights[0])])
    assert total == 3
