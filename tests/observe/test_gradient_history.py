"""What becomes of one gradient, pass by pass."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sevensteps.observe.gradient_history import GradientHistory

OPTIMIZER = 1


def history(optimizers: tuple[int, ...] = (OPTIMIZER,)) -> GradientHistory:
    parameter = nn.Parameter(torch.zeros(2))
    return GradientHistory("weight", "", parameter, 0, optimizers, spent=True)


def inputs(number: float) -> list[Tensor | None]:
    return [torch.full((3,), number)]


def test_what_was_used_and_is_still_there_is_left_over() -> None:
    gradient = history()
    gradient.add_pass(0.0, inputs(1), in_step=False)
    gradient.use()
    assert (gradient.stepped, gradient.used_passes, gradient.leftover()) == (True, 1, 0.0)
    gradient.forget_step()
    gradient.add_pass(2.5, inputs(2), in_step=False)
    assert gradient.leftover() == 2.5  # the next step will use it again
    gradient.use()
    assert (gradient.used_passes, gradient.leftover()) == (1, 2.5)


def test_passes_that_wait_add_up() -> None:
    gradient = history()
    for number, before in enumerate((0.0, 1.0, 2.0)):
        gradient.add_pass(before, inputs(number), in_step=False)
    gradient.use()
    assert (gradient.used_passes, gradient.used_stale, gradient.discarded) == (3, 0.0, 0)


def test_a_pass_that_is_cleared_unused_is_discarded_where_it_was_meant_to_be_used() -> None:
    def discarded(gradient: GradientHistory, second: float, *, in_step: bool = False) -> int:
        gradient.add_pass(0.0, inputs(1), in_step=False)
        gradient.after = 1.0 if gradient.after is None else gradient.after
        gradient.add_pass(0.0, inputs(second), in_step=in_step)
        return gradient.discarded

    assert discarded(history(), 2) == 1
    assert discarded(history(), 1) == 0  # the same input again, as a sharpness-aware step takes it
    assert discarded(history(), 2, in_step=True) == 0
    assert discarded(history(()), 2) == 0  # of no optimizer
    overflowed = history()
    overflowed.after = math.inf
    assert discarded(overflowed, 2) == 0


def test_a_pass_that_another_optimizer_used_is_not_thrown_away() -> None:
    gradient = history()
    gradient.add_pass(0.0, inputs(1), in_step=False, pass_id=1)
    gradient.after, gradient.others_stepped = 1.0, True
    gradient.add_pass(0.0, inputs(2), in_step=False, pass_id=2)
    assert (gradient.discarded, gradient.pass_ids, gradient.others_stepped) == (0, {2}, False)
    gradient.add_pass(0.0, inputs(3), in_step=False, pass_id=3)
    assert gradient.discarded == 1
