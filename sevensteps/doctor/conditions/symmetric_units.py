"""symmetric_units: units that start with the same weights stay copies of each other.

They get the same gradient at every step, so that the whole layer does the work of a single unit.
Measured: how many rows of each hidden layer's weights differ, and how many of their gradients;
it fires where that is at most half of the rows for both. Closed form; see Goodfellow, Bengio,
Courville, Deep Learning (2016), ch. 8.4.

Remedies: random weights in the hidden layers, `kaiming_normal()`, or `xavier_normal()` before
sigmoid and tanh. Silent on: equal rows in the output layer, whose units have targets of their
own; rows that are equal but get different gradients, and so part at the first step.
"""

from __future__ import annotations

import math

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import (
    hidden_activations,
    hidden_layers,
    layer_label,
    total_norm,
    weight_layers,
)
from sevensteps.doctor.without_gradient import products_of_zeros
from sevensteps.observe.look import Look
from sevensteps.render.text import count_text

STEP = "initialize"
EXPLAINS = (
    "too_small",
    "underfitting",
    "signal_vanishes",
    "vanishing_gradient",
    "parameters_not_updated",
    "dead_units",
    "learning_rate_too_low",
    "learning_rate_too_high",
    "stopped_early",
    "output_overconfident",
    "signal_explodes",
    "no_nonlinearity",
)

# of the largest gradient: so much is left, and differs, where float32 cancels out the whole
CANCELLED = 1e-6
GATES = {"LSTM": 4, "GRU": 3}  # and the state, each with rows of its own


def examine(case: Case) -> Finding | None:
    full = [
        look for look in case.looks if any(c.distinct is not None for c in look.changes.values())
    ]
    if not full:
        return None
    if (finding := _own_matrices(case)) is not None:
        return finding
    look = full[-1]
    copies = _copies(case, look)
    if not copies:
        # rounding may drive them apart in the end, and so may what is drawn anew in each step
        look = full[0]
        copies = {
            layer: (d, u)
            for layer, (d, u) in _copies(case, look).items()
            if d <= GATES.get(case.facts.layers[layer].kind, 1) < u
        }
        if not copies:
            return _one_number(case)
        if known_to_learn(case, 0.8):
            return None
    zero = any(
        total_norm(look.changes[name].weight) == 0
        for layer, name in hidden_layers(case)
        if layer.name in copies
    )
    where, (distinct, units) = next(iter(copies.items()))
    start = (
        "xavier_normal()"
        if any(a.activation in ("sigmoid", "tanh") for a in hidden_activations(case))
        else "kaiming_normal()"
    )
    reason = (
        "all weights are 0, so no signal passes and no weight gets a gradient. The layer does no "
        "work at all, however long it is trained."
        if zero
        else "equal units compute the same, get the same gradient, and move together. The layer "
        f"does the work of {count_text(distinct, 'unit')}, however long it is trained."
    )
    return Finding(
        "symmetric_units",
        STEP,
        "error",
        0.97,
        (
            f"All {units} units of {layer_label(where)} are the same"
            if distinct == 1
            else f"The {units} units of {layer_label(where)} have only {distinct} sets of weights"
        )
        + f": {reason}",
        [
            Measure(
                f"different units in {layer_name}",
                f"{d} of {u}",
                f"{u} of {u}",
                "rows of the weight matrix",
            )
            for layer_name, (d, u) in copies.items()
        ],
        [
            Remedy(
                {"initialize": start},
                "random weights make the units differ from the start",
                "initialise the weights of the hidden layers at random, as "
                "torch.nn.init.kaiming_normal_ does",
            )
        ],
        {"layers": list(copies)},
        0,
    )


def _copies(case: Case, look: Look) -> dict[str, tuple[int, int]]:
    """The hidden layers with at most half as many different units as units: (different, all)."""
    copies = {}
    gradients = [change.gradient for change in look.changes.values() if change.gradient is not None]
    largest = max((float(rows.max()) for rows in gradients if len(rows)), default=0.0)
    for layer, name in hidden_layers(case):
        change = look.changes.get(name)
        if change is None or change.distinct is None or len(change.weight) < 2:
            continue
        units, parted = len(change.weight), change.distinct
        if change.gradient is not None:
            parted = _different(change.gradient, CANCELLED * largest)
        if change.distinct <= units / 2 and parted <= max(change.distinct, 1):
            copies[layer.name] = (change.distinct, units)
    return copies


def _one_number(case: Case) -> Finding | None:
    """Hidden layers that start with one number for all weights: their units differ by no more than
    their biases, or what little the first steps have made of that.
    """
    hidden = [case.facts.parameters[name] for _, name in hidden_layers(case)]
    alike = [p.name for p in hidden if p.constant and p.length > 0 and p.shape[0] > 1]
    if case.before_training or 2 * len(alike) <= len(hidden) or known_to_learn(case, 0.8):
        return None
    return _finding_of(
        alike,
        "one number at the start",
        "weights that are one number read the same of the inputs, whatever the biases are",
    )


def _own_matrices(case: Case) -> Finding | None:
    """Matrices that a network multiplies with itself, in no layer that PyTorch knows: all zeros
    from the first step to the last, or with columns that are still all the same at the end.
    """
    trained = {name: p for name, p in case.facts.parameters.items() if p.trained}
    in_layers = {name for _, name in weight_layers(case)}
    own = [n for n, p in trained.items() if len(p.shape) == 2 and n not in in_layers]
    if len(own) < 2:
        return None
    size = sum(math.prod(p.shape) for p in case.facts.parameters.values())
    zeros = products_of_zeros(case)
    if sum(math.prod(trained[name].shape) for name in zeros) > size / 2:
        return _finding_of(
            zeros,
            "zeros, with a gradient of 0",
            "all weights are 0, so no signal passes and no weight gets a gradient",
        )
    if case.network is None:
        return None
    weights = dict(case.network.named_parameters())
    alike = [name for name in own if name in weights and _columns_alike(weights[name])]
    if not alike or case.steps < 2:
        return None
    return _finding_of(
        alike,
        "columns that are all the same",
        "equal units compute the same, get the same gradient, and move together",
    )


def _columns_alike(weight: torch.Tensor) -> bool:
    """Whether all columns, four at least, are the same but for rounding, and no zeros."""
    w = weight.detach().double()
    size = float(w.abs().max())
    return w.shape[1] >= 4 and size > 0 and bool(((w - w[:, :1]).abs() <= 1e-4 * size).all())


def _finding_of(names: list[str], observed: str, reason: str) -> Finding:
    listed = ", ".join(names[:3])
    return Finding(
        "symmetric_units",
        STEP,
        "error",
        0.95,
        f"The units of {listed} are all the same: {reason}. Each of these matrices does the work "
        "of a single unit, however long it is trained.",
        [Measure(f"units of {listed}", observed, "each with weights of its own", "weights")],
        [
            Remedy(
                {},
                "random weights make the units differ from the start",
                "draw the weights: torch.randn(inputs, units) * (2 / inputs) ** 0.5",
            )
        ],
        {"parameters": names[:32]},
        0,
    )


def _different(rows: torch.Tensor, rounding: float = 0.0) -> int:
    """How many lengths differ by more than rounding, at least `rounding` in all."""
    ordered = rows.double().sort().values
    least = (1e-4 * ordered[1:].abs()).clamp_min(max(rounding, 1e-34))
    return 1 + int(((ordered[1:] - ordered[:-1]) > least).sum()) if len(ordered) else 0
