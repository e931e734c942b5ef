"""Networks that compute what nobody wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.injected.fault import Fault
from benchmarks.doctor.cases.injected.injection import Alter, Injection, Operator, replaced

ACTIVATIONS = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.ELU, nn.LeakyReLU, nn.Softplus)
FUNCTIONS: tuple[tuple[Any, str], ...] = (
    *((F, name) for name in ("relu", "gelu", "silu", "leaky_relu", "elu")),
    *((torch, name) for name in ("relu", "tanh")),
    *((Tensor, name) for name in ("relu", "tanh")),
)


def in_the_middle(alter: Alter) -> Operator:
    """Alter what the layer in the middle answers."""

    def apply(injection: Injection) -> None:
        if injection.middle is not None:
            injection.alter_answers([injection.middle], alter)

    return apply


def at_the_output(alter: Alter) -> Operator:
    """Alter what a network answers."""
    return lambda injection: injection.alter_answers(injection.roots, alter)


def after_hidden_layers(alter: Alter) -> Operator:
    """Alter what each layer but the last answers."""
    return lambda injection: injection.alter_answers(injection.layers[:-1], alter)


def linear(injection: Injection) -> None:
    """No activation function, neither as a module nor called by a network."""
    inside = 0
    forwards = {type(root): type(root).forward for root in injection.roots}
    for kind, forward in forwards.items():

        def counted(
            module: nn.Module, *args: Any, forward: Callable[..., Any] = forward, **kwargs: Any
        ) -> Any:
            nonlocal inside
            inside += 1
            try:
                return forward(module, *args, **kwargs)
            finally:
                inside -= 1

        injection.replace(kind, "forward", counted, lasting=True)
    for owner, name in FUNCTIONS:
        original = getattr(owner, name)

        def function(
            x: Tensor,
            *args: Any,
            original: Any = original,
            owner: Any = owner,
            name: str = name,
            **kwargs: Any,
        ) -> Any:
            if inside and isinstance(x, Tensor):
                injection.touched += 1
                return x
            with replaced(owner, name, original):
                return original(x, *args, **kwargs)

        injection.replace(owner, name, function, lasting=True)


def evaluation_mode(injection: Injection) -> None:
    """The networks are never in training mode."""
    modes = (nn.Dropout, nn.modules.batchnorm._BatchNorm)
    for network in injection.networks:
        if any(isinstance(module, modes) for module in network.modules()):
            network.eval()
            vars(network)["train"] = lambda mode=True, network=network: network
            injection.touched += 1


def strong_dropout(x: Tensor) -> Tensor:
    """Also in evaluation."""
    return F.dropout(x, 0.9, training=True) if x.is_floating_point() else x


def mix(x: Tensor) -> Tensor:
    """Each sample has its neighbour's values in it."""
    return (x + 2 * x.roll(1, 0)) / 3 if x.ndim >= 2 else x


FAULTS = [
    Fault("no activation function", ("no_nonlinearity", "too_small", "underfitting"), linear),
    Fault(
        "output clipped to ±.01",
        ("output_loss_mismatch", "target_out_of_range"),
        at_the_output(lambda x: x.clamp(-0.01, 0.01)),
    ),
    Fault(
        "output without its positive part",
        ("output_loss_mismatch", "target_out_of_range", "dead_units"),
        at_the_output(lambda x: -F.relu(-x)),
    ),
    Fault(
        "answers do not depend on the input",
        ("input_not_used", "representation_collapsed", "parameters_not_updated"),
        in_the_middle(torch.zeros_like),
    ),
    Fault(
        "dropout .9, in evaluation too",
        ("mode_mismatch", "underfitting"),
        in_the_middle(strong_dropout),
    ),
    Fault("evaluation mode in training", ("mode_mismatch",), evaluation_mode),
    Fault(
        "samples mixed",
        ("samples_mixed", "inputs_scrambled", "labels_unrelated"),
        in_the_middle(mix),
    ),
    Fault(
        "sigmoid after each layer × 20",
        ("saturated_units", "vanishing_gradient", "signal_vanishes"),
        after_hidden_layers(lambda x: torch.sigmoid(20 * x)),
    ),
    Fault(
        "middle layer detached", ("parameters_not_updated",), in_the_middle(lambda x: x.detach())
    ),
]
