"""The written update of each optimizer is PyTorch's, and reads back to the same bits."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from tests.explain.one_step.trainings import OPTIMIZERS, flat_index, trained


@pytest.mark.parametrize("step", OPTIMIZERS)
@pytest.mark.sampled(3)
def test_the_formula_is_that_of_torch(step: str) -> None:
    """25 steps of torch's optimizer on one float64 weight, with the gradients that the training
    had.
    """
    run, history = trained(step=step, precision="float64")
    steps = run.explain.steps(24)
    index = flat_index(steps.weight.name, history)
    weight = nn.Parameter(history.before[0][index].clone().reshape(1))
    optimizer = run.recipe.step.torch_class([weight], lr=1.0, **run.recipe.step.options())
    for number, gradient in enumerate(history.gradients[:25]):
        weight.grad = gradient[index].reshape(1)
        rate = run.recipe.step.lr
        optimizer.param_groups[0]["lr"] = (
            rate(number, len(history.gradients)) if callable(rate) else rate
        )
        optimizer.step()
    assert steps.weight.update.value == pytest.approx(float(weight.detach()), rel=1e-12)
    assert steps.weight.new == pytest.approx(float(weight.detach()), rel=1e-12)


def test_what_is_printed_reads_back_to_the_same_bits() -> None:
    for precision in ("float32", "float64"):
        run, history = trained(precision=precision)
        steps = run.explain.steps(3)
        was, now = re.search(r" was (\S+),\s+is\s+(\S+)", str(steps)).groups()  # type: ignore[union-attr]
        kind = history.before[0].dtype
        index = flat_index(steps.weight.name, history)
        assert torch.tensor(float(was), dtype=kind) == history.before[3][index]
        assert torch.tensor(float(now), dtype=kind) == history.before[4][index]
