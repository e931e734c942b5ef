"""What one step of training a copy takes, counted rather than timed: the same training is put to
the same experiment, however busy the machine is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# seconds of a step, of a call of a function in it, of a number that it gives, and of a product of
# a number and a weight, forward and backward together, about
STEP, CALL, NUMBER, PRODUCT = 2e-4, 4e-5, 3e-9, 5e-10
RECURRENT = ("rnn_tanh", "rnn_relu", "lstm", "gru")
CALLS_OF_A_PLACE = 3  # in a recurrent layer


class _Counter(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seconds = STEP

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name.startswith("__get__") or not isinstance(result, Tensor | tuple):
            return result
        answer = result if isinstance(result, Tensor) else next(iter(result), None)
        if not isinstance(answer, Tensor):
            return result
        tensors = [value for value in args if isinstance(value, Tensor)]
        times = 1.0
        if name in RECURRENT and tensors:
            times = CALLS_OF_A_PLACE * float(tensors[0].shape[1 if args[-1] is True else 0])
        self.seconds += times * CALL + NUMBER * answer.numel()
        if len(tensors) > 1:  # by a matrix or a kernel, or at most as many
            self.seconds += PRODUCT * _products(name, answer, tensors)
        return result


def _products(name: str, answer: Tensor, tensors: list[Tensor]) -> float:
    second = tensors[1]
    if name.startswith("conv") and second.ndim > 2:
        return float(answer.numel() * second[0].numel())
    if name in ("linear", "matmul", "__matmul__", "mm", "bmm") and tensors[0].ndim:
        return float(answer.numel() * tensors[0].shape[-1])
    if name in RECURRENT:
        return float(8 * answer.numel() * answer.shape[-1])
    return 0.0


def seconds_of_step(forward: Callable[[], Any]) -> float:
    """About how long a step takes on a free processor whose forward pass is `forward`."""
    with torch.no_grad(), _Counter() as counter:
        forward()
    seconds: float = counter.seconds
    return seconds
