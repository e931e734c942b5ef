"""Steps of the wrong size."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.doctor.cases.injected.fault import Fault
from benchmarks.doctor.cases.injected.injection import Injection, Operator


def rate(factor: float) -> Operator:
    """Another learning rate."""
    return lambda injection: injection.scale_rate(factor)


def decay(injection: Injection) -> None:
    """As much as takes the weights to nothing."""
    for optimizer in injection.optimizers:
        for group in optimizer.param_groups:
            if "weight_decay" in group:
                own = isinstance(optimizer, torch.optim.AdamW)
                group["weight_decay"] = 0.1 / group["lr"] if own and group["lr"] else 1.0
                injection.touched += 1


def schedule_to_nothing(injection: Injection) -> None:
    """Half of the learning rate with each step, from a twentieth of the training on."""
    steps = 0

    def halve(optimizer: torch.optim.Optimizer) -> None:
        nonlocal steps
        steps += 1
        if steps > injection.steps * len(injection.optimizers) / 20:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
                group["lr"] /= 2

    injection.around_steps(after=halve)


def endless_warm_up(injection: Injection) -> None:
    """That reaches a hundredth of the learning rate at the end."""
    steps = 0

    def raise_rate(optimizer: torch.optim.Optimizer) -> None:
        nonlocal steps
        steps += 1
        share = steps / (100 * injection.steps * len(injection.optimizers))
        for group in optimizer.param_groups:
            group["lr"] = share * group.setdefault("initial_lr", group["lr"])

    injection.around_steps(before=raise_rate)


def momentum(injection: Injection) -> None:
    """That averages over more steps than there are."""
    for optimizer in injection.optimizers:
        for group in optimizer.param_groups:
            if "betas" in group and not optimizer.state:
                group["betas"] = (0.999, group["betas"][1])
            elif "momentum" in group and not optimizer.state:
                group["momentum"] = 0.999
            else:
                continue
            injection.touched += 1


def second_moment(injection: Injection) -> None:
    """An epsilon beside which the second moment does not count."""
    for optimizer in injection.optimizers:
        for group in optimizer.param_groups:
            if "eps" in group and "betas" in group:
                group["eps"] = 10.0
                injection.touched += 1


def rounded(injection: Injection) -> None:
    """bfloat16 weights, and a learning rate whose steps are lost in their digits."""
    for network in injection.networks:
        network.to(torch.bfloat16)

    def low(x: Tensor) -> Tensor:
        return x.to(torch.bfloat16) if x.dtype == torch.float32 else x

    injection.alter_inputs(low)
    injection.alter_answers(injection.roots, lambda x: x.float(), by="precision")
    injection.scale_rate(0.03)


TOO_HIGH = (
    "learning_rate_too_high",
    "exploding_gradient",
    "not_finite",
    "dead_units",
    "saturated_units",
)
FAULTS = [
    Fault("learning rate × 300", TOO_HIGH, rate(300.0)),
    Fault("learning rate ÷ 1000", ("learning_rate_too_low",), rate(1e-3)),
    Fault("weight decay that takes all", ("weight_decay_too_strong",), decay),
    Fault(
        "schedule that goes to nothing",
        ("schedule_collapsed", "learning_rate_too_low"),
        schedule_to_nothing,
    ),
    Fault(
        "warm-up that never ends", ("learning_rate_too_low", "schedule_collapsed"), endless_warm_up
    ),
    Fault("momentum .999", ("optimizer_setting", "learning_rate_too_high"), momentum),
    Fault("Adam's epsilon 10", ("optimizer_setting", "learning_rate_too_low"), second_moment),
    Fault(
        "bfloat16 weights, small steps", ("updates_rounded_away", "learning_rate_too_low"), rounded
    ),
]
