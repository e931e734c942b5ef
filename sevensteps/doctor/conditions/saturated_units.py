"""saturated_units: sigmoids or tanhs at the flat ends of their range pass hardly any gradient back.

Measured: the share of a hidden layer's outputs within 1 % of the ends of its activation's range, in
each of the last three looks. Source: Glorot, Bengio 2010.

Remedies: `xavier_normal()` and standardised inputs; ReLU in the hidden layers. Silent on: tanh
layers near ±1 in a network that learns; an output layer, which may be sure of its answers;
activations without a flat end; layers that began so, as those of a network that was trained before,
where even the last weights, which no flat end keeps from learning, hardly moved.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    change_activation,
    hidden_activations,
    layer_label,
    learned_enough,
    path_of_steps,
    significant,
)

STEP = "predict"
EXPLAINS = (
    "vanishing_gradient",
    "output_overconfident",
    "underfitting",
    "too_small",
    "learning_rate_too_low",
    "stopped_early",
    "ill_conditioned",
)
PATH = 0.1  # all steps together, in norms of the weights
MOST = 0.7  # share of a layer's outputs at the ends


def examine(case: Case) -> Finding | None:
    if not case.looks or learned_enough(case, 0.8):
        return None
    saturated: dict[str, float] = {}
    for layer in hidden_activations(case):
        if not (layer.function.saturates and layer.function.elementwise):
            continue
        signals = [
            look.signals[layer.name] for look in case.looks[-3:] if layer.name in look.signals
        ]
        shares = [float(signal.flat.mean()) for signal in signals if signal.flat is not None]
        if shares and min(shares) >= MOST:
            saturated[layer.name] = min(shares)
    if not saturated:
        return None
    name, share = max(saturated.items(), key=lambda item: item[1])
    first = case.looks[0].signals.get(name)
    at_start = first is not None and first.flat is not None and float(first.flat.mean()) >= MOST
    if at_start and 0 < (path := path_of_steps(case)) < PATH:
        why = f"not even the last layer moved by more than {path:.2g} of its norm"
        case.ruled_out.append(("saturated_units", why))
        return None
    spread = (
        float(case.looks[-1].signals[name].std.mean())
        if name in case.looks[-1].signals
        else math.nan
    )
    return Finding(
        "saturated_units",
        STEP,
        "error" if share > 0.95 else "warning",
        0.8,
        f"{share:.0%} of the outputs of {layer_label(name)} lie at the flat ends of its "
        "activation, "
        f"{'from the start: its weights are too large' if at_start else 'by the end'}. There its "
        "slope is near 0: the gradient vanishes on its way back through it, and the layers before "
        "it learn hardly anything.",
        [
            Measure(
                f"share of {layer_label(layer)} at the ends",
                significant(value),
                f"below {MOST:g}",
                "within 1 % of the range",
            )
            for layer, value in saturated.items()
        ]
        + [
            Measure(
                f"spread of {layer_label(name)} over samples",
                significant(spread),
                "well above 0",
                "standard deviation",
            )
        ],
        [
            Remedy(
                {"initialize": "xavier_normal()"},
                "smaller weights start where the activation is steep",
                "initialise with torch.nn.init.xavier_normal_, and standardise the inputs",
            ),
            Remedy(
                change_activation(case, "relu"),
                "a ReLU does not saturate where it is on",
                "use ReLU in the hidden layers",
            ),
        ],
        {"layers": list(saturated)},
        0 if at_start else None,
    )
