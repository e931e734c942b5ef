"""Which optimizers have stepped, noted step by step or for several at once by versions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.observe.optimizer_marks import MIN_STEP_LOOKS, OptimizerMarks


def two_optimizers() -> tuple[list[nn.Parameter], list[torch.optim.Optimizer]]:
    parameters = [nn.Parameter(torch.ones(3)) for _ in range(3)]
    first = torch.optim.SGD(parameters[:2], lr=0.1)
    return parameters, [first, torch.optim.SGD(parameters[2:], lr=0.1)]


@pytest.mark.parametrize("at_once", [True, False])
def test_updates_of_each_are_counted(at_once: bool) -> None:
    parameters, optimizers = two_optimizers()
    marks, versions = OptimizerMarks(optimizers), list[int]()
    marks.note()
    for step in range(12):
        for p in parameters:
            p.grad = torch.ones(3)
        optimizers[0].step()
        if step % 4 == 3:
            optimizers[1].step()
        if at_once:
            versions += [p._version for p in marks.probes]
        else:
            marks.note()
    if at_once:
        marks.note_versions(versions, 12)
    assert marks.updates == [12, 3]
    assert marks.unread_marks == []


def test_a_step_that_comes_now_and_then_is_foretold_until_looks_have_seen_it() -> None:
    parameters, optimizers = two_optimizers()
    marks = OptimizerMarks(optimizers)
    for step in range(15):
        for p in parameters:
            p.grad = torch.ones(3)
        optimizers[0].step()
        if step % 5 == 4:
            optimizers[1].step()
        marks.note()
    assert marks.steps_to_update == 5
    for _ in range(MIN_STEP_LOOKS):
        marks.end_look([id(optimizer) for optimizer in optimizers], [])
    assert marks.steps_to_update is None
