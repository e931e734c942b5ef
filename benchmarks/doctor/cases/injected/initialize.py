"""Wrong starting points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.doctor.cases.injected.fault import Fault
from benchmarks.doctor.cases.injected.injection import Injection, Operator


def change_weights(change: Callable[[Tensor], Tensor | float]) -> Operator:
    """Change the matrices and kernels of all layers but embeddings."""

    def apply(injection: Injection) -> None:
        with torch.no_grad():
            for layer in injection.layers:
                for p in layer._parameters.values():
                    if p is not None and p.ndim >= 2 and not isinstance(layer, nn.Embedding):
                        p.copy_(torch.as_tensor(change(p)).to(p).expand_as(p))
                        injection.touched += 1

    return apply


def low_biases(injection: Injection) -> None:
    """Hidden units that no input switches on."""
    with torch.no_grad():
        for layer in injection.layers[:-1]:
            bias = layer._parameters.get("bias")
            if bias is not None:
                bias.fill_(-10.0)
                injection.touched += 1


SMALL = ("signal_vanishes", "vanishing_gradient", "symmetric_units")
LARGE = (
    "signal_explodes",
    "output_overconfident",
    "exploding_gradient",
    "saturated_units",
    "dead_units",
    "not_finite",
)
FAULTS = [
    Fault(
        "all weights zero",
        ("symmetric_units", *SMALL[:2], "dead_units"),
        change_weights(lambda p: 0.0),
    ),
    Fault("all weights .1", ("symmetric_units",), change_weights(lambda p: 0.1)),
    Fault("weights × 8", LARGE, change_weights(lambda p: 8 * p)),
    Fault("weights ÷ 30", SMALL[:2], change_weights(lambda p: p / 30)),
    Fault(
        "hidden biases −10",
        ("dead_units", "saturated_units", "signal_vanishes", "vanishing_gradient"),
        low_biases,
    ),
]
