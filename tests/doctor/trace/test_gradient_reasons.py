"""Of a gradient that is not finite, the reason is read off what the forward pass has kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sevensteps.doctor.trace.operations import CallListener, OperationListener
from sevensteps.doctor.trace.reason import Reason
from sevensteps.doctor.trace.reasons import reason_of


def backward(compute: Callable[[Tensor], Tensor], x: Tensor) -> Reason:
    listener, x = OperationListener(), x.clone().requires_grad_()
    with listener:
        with CallListener(listener):
            result = compute(x)
        assert bool(result.isfinite().all())
        listener.begin_backward()
        result.sum().backward()
    origin = listener.origin(x.grad)
    assert origin is not None
    return reason_of(origin)


ZERO = torch.tensor([[1.0, 2.0], [0.0, 0.0], [3.0, 1.0]])
BACKWARD: dict[str, tuple[Callable[[Tensor], Tensor], Tensor, str, str]] = {
    "distance": (
        lambda x: (x - x.detach()).pow(2).sum(1).sqrt(),
        ZERO,
        "root",
        "distance between two equal inputs",
    ),
    "length": (lambda x: (x * x).sum(1).sqrt(), ZERO, "root", "length of a vector of zeros"),
    "power": (lambda x: x**0.5, ZERO, "root", "sqrt is infinite at 0"),
    "acos": (lambda x: (x / 3).acos(), ZERO, "arc", "infinite at 1"),
    "where": (
        lambda x: torch.where(x > 0, x.log(), 0 * x),
        ZERO,
        "log",
        "the gradient that comes to it is 0",
    ),
    "division": (
        lambda x: torch.where(x > 0, (x + 1) / x, 0 * x),
        ZERO,
        "division",
        "the gradient that comes to it is 0",
    ),
}


@pytest.mark.parametrize("name", BACKWARD)
def test_of_a_gradient(name: str) -> None:
    compute, x, kind, words = BACKWARD[name]
    reason = backward(compute, x)
    assert reason.kind == kind
    assert words in reason.text
