"""A reason, and the numbers that it is read off: those at the place of the first bad one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from sevensteps.doctor.trace.operations import Origin

# the least number that float32 knows as one over something finite
SMALLEST = 1.2e-38
# instead of the logarithm of probabilities
LOG_SOFTMAX = "log_softmax (or cross_entropy on the logits) instead of log(softmax(…))"
WITH_LOGITS = (
    "logsigmoid, or binary_cross_entropy_with_logits on the outputs before the sigmoid, instead of "
    "the log of probabilities"
)


@dataclass(frozen=True)
class Reason:
    """`kind` names the cause, `text` says it in a clause, `remedy` what to do, `because` why."""

    kind: str
    text: str
    remedy: str
    because: str
    value: float | None = None


Rule = Callable[[Origin], Reason | None]


def value_at(origin: Origin, position: int) -> float | None:
    """The argument of the operation at this position, at the place of the bad number."""
    argument = origin.args[position] if position < len(origin.args) else None
    if isinstance(argument, Tensor):
        return _number(argument, origin)
    return float(argument) if isinstance(argument, int | float) else None


def saved_at(origin: Origin, name: str) -> float | None:
    """A number that the backward pass has from the forward pass, at the place of the bad one."""
    value = origin.saved.get(name)
    if isinstance(value, Tensor):
        return _number(value, origin)
    return float(value) if isinstance(value, int | float) else None


def _number(tensor: Tensor, origin: Origin) -> float | None:
    """The number in `tensor`, broadcast to the output, at the place of the bad one."""
    try:
        return float(tensor.expand(origin.output.shape)[origin.index])
    except (RuntimeError, IndexError):
        return None
