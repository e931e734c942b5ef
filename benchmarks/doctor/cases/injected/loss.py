"""Losses that ask for the wrong thing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.doctor.cases.injected.fault import Fault
from benchmarks.doctor.cases.injected.injection import LOSSES, Injection

NUMBERS = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
Changed = tuple[Tensor, Tensor, dict[str, Any]]


def second_softmax(injection: Injection) -> None:
    """Probabilities are handed to a loss that takes scores."""

    def alter(input: Tensor, target: Tensor, more: dict[str, Any]) -> Changed:
        return input.softmax(1 if input.ndim > 1 else 0), target, more

    injection.alter_loss_calls(("cross_entropy",), alter)


def second_sigmoid(injection: Injection) -> None:
    """Probabilities are handed to a loss that takes scores, of one class each."""

    def alter(input: Tensor, target: Tensor, more: dict[str, Any]) -> Changed:
        return input.sigmoid(), target, more

    injection.alter_loss_calls(("binary_cross_entropy_with_logits",), alter)


def summed(injection: Injection) -> None:
    """The sum over a batch in place of its mean."""

    def alter(input: Tensor, target: Tensor, more: dict[str, Any]) -> Changed:
        if more.get("reduction", "mean") == "mean":
            more = {**more, "reduction": "sum"}
        return input, target, more

    injection.alter_loss_calls(LOSSES, alter)


def broadcast(injection: Injection) -> None:
    """A column against a row: each output with each target."""

    def alter(input: Tensor, target: Tensor, more: dict[str, Any]) -> Changed:
        if len(input) < 2 or input.shape != target.shape:
            return input, target, more
        if target.ndim == 1:
            return input, target[:, None], more
        if target.ndim == 2 and target.shape[1] == 1:
            return input, target[:, 0], more
        return input, target, more

    def counted(input: Tensor, target: Tensor, more: dict[str, Any]) -> Changed:
        changed = alter(input, target, more)
        injection.touched -= changed[1] is target  # nothing was altered
        return changed

    injection.alter_loss_calls(NUMBERS, counted)


def unrelated(injection: Injection) -> None:
    """The targets of a batch in another order than its inputs."""

    def alter(input: Tensor, target: Tensor, more: dict[str, Any]) -> Changed:
        if target.ndim and len(target) == len(input):
            order = torch.randperm(len(target), generator=injection.generator)
            target = target[order.to(target.device)]
        return input, target, more

    def shuffle(pair: Any) -> Any:
        inputs, target = pair
        if not isinstance(target, Tensor):
            return pair
        return inputs, target[torch.randperm(len(target), generator=injection.generator)]

    injection.alter_data = shuffle
    injection.alter_loss_calls(LOSSES, alter)


FAULTS = [
    Fault("loss negated", ("loss_sign",), lambda injection: injection.alter_backward(torch.neg)),
    Fault(
        "softmax before cross-entropy", ("output_loss_mismatch",), second_softmax, structural=True
    ),
    Fault(
        "sigmoid before binary cross-entropy",
        ("output_loss_mismatch",),
        second_sigmoid,
        structural=True,
    ),
    Fault(
        "loss summed",
        ("loss_scale", "learning_rate_too_high", "exploding_gradient", "not_finite", "dead_units"),
        summed,
    ),
    Fault("target broadcast", ("target_shape_mismatch",), broadcast),
    Fault("targets of other samples", ("labels_unrelated", "label_noise"), unrelated),
]
