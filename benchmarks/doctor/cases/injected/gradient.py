"""Gradients that are lost, or left."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from benchmarks.doctor.cases.injected.fault import Fault
from benchmarks.doctor.cases.injected.injection import Injection


def cleared_too_early(injection: Injection) -> None:
    """Between the backward pass and the step."""
    injection.around_steps(before=lambda optimizer: optimizer.zero_grad())


def never_cleared(injection: Injection) -> None:
    """Neither by an optimizer nor by a network."""

    def nothing(set_to_none: bool = True) -> None:
        injection.touched += 1

    for optimizer in injection.optimizers:
        injection.replace(optimizer, "zero_grad", nothing)
    original = nn.Module.zero_grad
    watched = {id(network) for network in injection.networks}

    def zero_grad(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        if id(module) in watched:
            injection.touched += 1
        else:
            original(module, *args, **kwargs)

    injection.replace(nn.Module, "zero_grad", zero_grad)


def clipped(injection: Injection) -> None:
    """To a length that leaves nothing."""

    def clip(optimizer: torch.optim.Optimizer) -> None:
        torch.nn.utils.clip_grad_norm_(
            [p for group in optimizer.param_groups for p in group["params"]], 1e-4
        )

    injection.around_steps(before=clip)


def frozen(injection: Injection) -> None:
    """The first half of the parameters."""
    parameters = injection.parameters
    for parameter in parameters[: len(parameters) // 2]:
        if parameter.is_leaf and parameter.requires_grad:
            parameter.requires_grad_(False)
            injection.touched += 1


def half_to_the_optimizer(injection: Injection) -> None:
    """Only the second half of its parameters."""
    for optimizer in injection.optimizers:
        every = [p for group in optimizer.param_groups for p in group["params"]]
        left_out = {id(p) for p in every[: len(every) // 2]}
        for group in optimizer.param_groups:
            group["params"] = [p for p in group["params"] if id(p) not in left_out]
        injection.touched += len(left_out)


def copies_to_the_optimizer(injection: Injection) -> None:
    """Parameters of a network that nobody calls."""
    for optimizer in injection.optimizers:
        for group in optimizer.param_groups:
            group["params"] = [
                p.detach().clone().requires_grad_(p.requires_grad) for p in group["params"]
            ]
            injection.touched += 1


FAULTS = [
    Fault(
        "gradients cleared before the step",
        ("gradient_discarded", "parameters_not_updated"),
        cleared_too_early,
    ),
    Fault("gradients never cleared", ("gradient_not_cleared",), never_cleared),
    Fault("gradients clipped to 1e-4", ("gradient_clipped_away", "learning_rate_too_low"), clipped),
    Fault("first half frozen", ("parameters_not_updated",), frozen),
    Fault("optimizer without the first half", ("parameters_not_updated",), half_to_the_optimizer),
    Fault("optimizer of a copy", ("parameters_not_updated",), copies_to_the_optimizer),
]
