"""signal_explodes: the signal grows from layer to layer.

Outputs, loss and gradients become too large for any learning rate. Measured: how much each hidden
activation varies over the samples of the first look, last layer against first; healthy
initialisation keeps it within a small factor. Source: Glorot, Bengio 2010; He et al. 2015.

Remedies: `kaiming_normal()`; where the activation is an exponential, another one. Silent on:
networks with fewer than three hidden activations, and those that learn well all the same.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.signal_vanishes import depth
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    change_activation,
    hidden_activations,
    layer_label,
    learned_enough,
    significant,
)

STEP = "initialize"
EXPLAINS = (
    "exploding_gradient",
    "not_finite",
    "output_overconfident",
    "learning_rate_too_high",
    "dead_units",
    "saturated_units",
    "underfitting",
)
GROWN = 100.0  # times the first layer's spread
PER_LAYER = 1.6  # times, on average, so that a single wide place is something else


def examine(case: Case) -> Finding | None:
    spreads = depth(case)
    if len(spreads) < 3:
        return None
    names, values = zip(*spreads, strict=True)
    first, last = values[0], values[-1]
    if not first > 0 or learned_enough(case):
        return None
    grown = last / first if math.isfinite(last) else math.inf
    each = grown ** (1 / (len(values) - 1))
    if grown < GROWN or each < PER_LAYER:
        return None
    unbounded = sorted({str(layer.activation or layer.kind) for layer in hidden_activations(case)})
    exponential = "exp" in unbounded
    remedies = [
        Remedy(
            {"initialize": "kaiming_normal()"},
            "weights as small as the number of inputs asks for keep the signal's size",
            "initialise every hidden layer with torch.nn.init.kaiming_normal_",
        )
    ]
    if exponential:
        remedies.insert(
            0,
            Remedy(
                change_activation(case, "relu"),
                "an exponential of an exponential grows beyond every number; a ReLU does not",
                "use relu, tanh or selu as the activation instead of exp",
            ),
        )
    return Finding(
        "signal_explodes",
        STEP,
        "error",
        0.9,
        f"At the start, each layer multiplies the signal by {each:.3g}: the output of "
        f"{layer_label(names[-1])} varies {grown:.2g} times as much as that of "
        f"{layer_label(names[0])}. Loss and gradients are then so large that a single step throws "
        "the weights far off.",
        [
            Measure(
                f"spread over samples, {layer_label(names[-1])} / {layer_label(names[0])}",
                significant(grown),
                "about 1",
                "He et al. 2015",
            ),
            Measure("factor per layer", significant(each), "about 1", "geometric mean"),
        ],
        remedies,
        {"layers": list(names)},
        0,
    )
