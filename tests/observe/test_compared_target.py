"""The target of a loss that a training writes itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sevensteps.observe.calls import CallRecorder
from tests.observe.recorded_step import X, network

pytestmark = pytest.mark.draws
TARGET = torch.linspace(0, 1, 24).view(8, 3)
Compute = Callable[[Tensor], Tensor]


def found(compute: Compute) -> Tensor | None:
    """The target that is told of the loss `compute(output)`, which is about to go backward."""
    recorder, model = CallRecorder(), network()
    recorder.arm()
    try:
        recorder.network_enters("", model, (X,), {})
        output = model(X)
        recorder.network_returns("", model, output)
        return recorder.compared_target(compute(output))
    finally:
        recorder.disarm()


@pytest.mark.parametrize(
    "compute",
    [
        lambda output: ((output - TARGET) ** 2).mean(),
        lambda output: (TARGET - output).pow(2).sum(dim=1).mean() / 2,
        lambda output: 0.5 * torch.sub(output, TARGET).abs().mean(),
        lambda output: (TARGET.flatten() - output.view(-1)).square().mean().sqrt(),
        lambda output: torch.linalg.vector_norm(output - TARGET),
        lambda output: (torch.ones(8, 1) * (output - TARGET) ** 2).mean(),
    ],
)
def test_what_the_output_is_compared_with_is_its_target(compute: Compute) -> None:
    target = found(compute)
    assert target is not None
    assert torch.equal(target.flatten(), TARGET.flatten())


@pytest.mark.parametrize(
    "compute",
    [
        lambda output: (output - 1).pow(2).mean(),  # as in some GANs
        lambda output: ((output - TARGET) ** 2).mean() + output.pow(2).mean(),  # of two terms
        lambda output: (output.gather(1, TARGET[:, :1].long()) - TARGET[:, :1]).pow(2).mean(),
        lambda output: (output - output.flip(0)).pow(2).mean(),  # between two answers
        lambda output: ((output - TARGET).exp()).mean(),
        lambda output: (output.softmax(1) - TARGET).pow(2).mean(),
        lambda output: (output.mean() - TARGET.mean()).pow(2),
    ],
)
def test_other_differences_are_none(compute: Compute) -> None:
    assert found(compute) is None


def test_tensors_that_no_network_gave_are_compared_with_nothing() -> None:
    weights = nn.Parameter(torch.ones(8, 3))
    assert found(lambda output: (weights * 2 - TARGET).pow(2).mean()) is None
