"""Numbers are read at the place of the first bad one, whatever shapes were broadcast."""

from __future__ import annotations

import torch

from sevensteps.doctor.trace.operations import OperationListener, Origin
from sevensteps.doctor.trace.reason import saved_at, value_at


def division(x: torch.Tensor, by: torch.Tensor) -> Origin:
    listener = OperationListener()
    with listener:
        result = x / by
    origin = listener.origin(result)
    assert origin is not None
    return origin


def test_numbers_are_broadcast() -> None:
    origin = division(torch.arange(6.0).reshape(2, 3) + 1, torch.tensor([[1.0], [0.0]]))
    assert origin.index == (1, 0)
    assert (value_at(origin, 0), value_at(origin, 1)) == (4.0, 0.0)
    assert value_at(origin, 7) is None


def test_what_does_not_fit_is_not_read() -> None:
    origin = division(torch.ones(3), torch.zeros(3))
    origin.saved.update(result=torch.ones(7), other=torch.full((3,), 2.0), exponent=3)
    assert saved_at(origin, "result") is None
    assert (saved_at(origin, "other"), saved_at(origin, "exponent")) == (2.0, 3.0)
    assert saved_at(origin, "self") is None
