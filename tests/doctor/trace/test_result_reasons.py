"""Of a result that is not finite, the reason is read off what the operation was given."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
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
FORWARD: dict[str, tuple[Callable[[Tensor], Tensor], Tensor, str, str]] = {
    "log": (torch.log, ZERO, "log", "logarithm of 0"),
    "log of a negative": (lambda x: (x - 1.5).log(), ZERO, "log", "a negative number"),
    "log1p": (lambda x: (x - 1).log1p(), ZERO, "log", "logarithm of 0"),
    "root": (lambda x: (x - 1).sqrt(), ZERO, "root", "square root of -1"),
    "rsqrt": (torch.rsqrt, ZERO, "division", "square root of 0"),
    "0/0": (lambda x: x / x, ZERO, "division", "0/0"),
    "x/0": (lambda x: 2 / x, ZERO, "division", "a division by 0"),
    "a unit": (lambda x: x / x.norm(dim=1, keepdim=True), ZERO, "division", "vector of zeros"),
    "a unit by hand": (
        lambda x: x / x.square().sum(1, keepdim=True).sqrt(),
        ZERO,
        "division",
        "vector of zeros",
    ),
    "a mean": (lambda x: x.sum(1) / (x != 0).float().sum(1), ZERO, "division", "a count that is 0"),
    "power": (lambda x: x**-0.5, ZERO, "division", "0 to the power"),
    "exp": (lambda x: (200 * x).exp(), ZERO, "exponential", "exp(200)"),
    "acos": (lambda x: x.acos(), ZERO, "arc", "acos of 2"),
    "softmax": (lambda x: x.log().softmax(1), ZERO, "log", "logarithm of 0"),
    "mean of nothing": (lambda x: x[x > 5].mean(), ZERO, "empty", "mean of nothing"),
    "ignored": (
        lambda x: F.cross_entropy(x, torch.full((3,), -100)),
        ZERO,
        "empty",
        "none of its targets counts",
    ),
    "mask": (lambda x: x * -math.inf, ZERO, "mask", "0 × ∞"),
}


@pytest.mark.parametrize("name", FORWARD)
def test_of_a_result(name: str) -> None:
    compute, x, kind, words = FORWARD[name]
    reason = forward(compute, x)
    assert reason.kind == kind
    assert words in reason.text


def test_the_logarithm_of_probabilities_has_a_remedy_of_its_own() -> None:
    x = 1e4 * ZERO
    assert "log_softmax" in forward(lambda x: x.softmax(1).log(), x).remedy
    assert "with_logits" in forward(lambda x: (1 - x.sigmoid()).log(), x).remedy
    assert "clamp" in forward(torch.log, x).remedy
