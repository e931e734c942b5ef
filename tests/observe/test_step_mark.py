"""Whether an optimizer has stepped can be told from outside."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.observe.step_mark import StepMark

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "one by one": lambda p: torch.optim.Adam(p, lr=0.1, foreach=False),
    "fused": lambda p: torch.optim.Adam(p, lr=0.1, fused=True),
    "Adafactor": lambda p: torch.optim.Adafactor(p, lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_that_change_parameters_are_counted(name: str) -> None:
    parameters = [nn.Parameter(torch.ones(3)) for _ in range(3)]
    optimizer = OPTIMIZERS[name](parameters)
    mark = StepMark(optimizer)
    mark.note(mark.read())
    for step in range(9):
        for p in parameters:
            p.grad = torch.ones(3)
        if step % 3 == 2:
            optimizer.step()
        mark.note(mark.read())
        assert (mark.now != mark.before) == (step % 3 == 2)
    assert mark.updates == 3


def test_parameters_without_gradients_are_not_the_ones_to_read() -> None:
    frozen, trained = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    others = [nn.Parameter(torch.ones(3)) for _ in range(3)]
    optimizer = torch.optim.SGD([frozen, *others, trained], lr=0.1)
    mark = StepMark(optimizer)
    trained.grad = torch.ones(3)
    for _ in range(2):
        optimizer.step()
        mark.note(mark.read())
    assert mark.updates == 0
    mark.watch([trained])
    assert mark.now is None
    for _ in range(3):
        optimizer.step()
        mark.note(mark.read())
    assert mark.updates == 2


def test_the_next_of_regular_steps_is_foretold() -> None:
    parameter = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    mark, foretold = StepMark(optimizer), []
    for step in range(20):
        parameter.grad = torch.ones(3)
        if step % 5 == 4:
            optimizer.step()
        mark.note(mark.read())
        foretold.append(mark.steps_to_update)
    assert foretold[:9] == [None] * 9
    assert foretold[14:19] == [5, 4, 3, 2, 1]
