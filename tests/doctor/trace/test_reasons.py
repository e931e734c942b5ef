"""What is too large is told as such, and what nobody knows as well as it can be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sevensteps.doctor.trace.operations import OperationListener
from sevensteps.doctor.trace.reason import Reason
from sevensteps.doctor.trace.reasons import reason_of


def forward(compute: Callable[[Tensor], Tensor], x: Tensor) -> Reason:
    listener = OperationListener()
    with listener:
        result = compute(x)
    origin = listener.origin(result)
    assert origin is not None
    return reason_of(origin)


ZERO = torch.tensor([[1.0, 2.0], [0.0, 0.0], [3.0, 1.0]])
LARGE: dict[str, tuple[Callable[[Tensor], Tensor], Tensor, str, str]] = {
    "half": (lambda x: (6e4 * x.half()).sum(1), ZERO, "half", "largest number of float16"),
    "overflow": (lambda x: (1e30 * x).square(), ZERO, "overflow", "beyond every number"),
}


@pytest.mark.parametrize("name", LARGE)
def test_of_a_result(name: str) -> None:
    compute, x, kind, words = LARGE[name]
    reason = forward(compute, x)
    assert reason.kind == kind
    assert words in reason.text


def test_what_nobody_knows_is_named_all_the_same() -> None:
    reason = forward(lambda x: (x - 3).lgamma(), ZERO)
    assert reason.kind == "operation"
    assert "lgamma" in reason.remedy
