"""signal_vanishes: the signal shrinks from layer to layer.

In the end the output hardly depends on the input, and no gradient says how it should. Measured: how
much each hidden activation varies over the samples of the first look, last layer against first. A
weight matrix with std σ and n inputs multiplies the variance by nσ²/2 under a ReLU; PyTorch's
default σ² = 1/(3n) makes that 1/6. Of recurrent layers: the length of their matrices beside that of
PyTorch's start. Source: He et al. 2015, Delving Deep into Rectifiers.

Remedies: `kaiming_normal()`, or `xavier_normal()` for tanh; a batch norm or layer norm after
each hidden layer. Silent on: shallow networks; a single narrow place; sigmoids, which do it
under any initialisation (see vanishing_gradient); networks that learn all the same.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import (
    hidden_activations,
    layer_label,
    median,
    significant,
    total_norm,
)
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import LayerFacts

STEP = "initialize"
EXPLAINS = (
    "vanishing_gradient",
    "learning_rate_too_low",
    "underfitting",
    "too_small",
    "dead_units",
    "stopped_early",
    "saturated_units",
    "ill_conditioned",
    "symmetric_units",
    "parameters_not_updated",
)
LAYERS = 4  # hidden layers; in fewer the shrinking of a usual start does no harm
FEW, NOTHING_LEFT = 2, 0.1  # of so few, each has to take nine tenths; PyTorch's default takes .6
SHRUNK = 0.05  # of the first layer's spread is left in the last
RECURRENT = {"RNN": 1, "GRU": 3, "LSTM": 4}  # how many matrices lie above one another in each
OF_USUAL = 0.05  # of the length of PyTorch's start
LEAST_STEPS = 50  # before which next to nothing has been learned by any
PER_LAYER = 0.85  # and each layer does its part: a single narrow place is something else


def examine(case: Case) -> Finding | None:
    if (finding := _in_recurrent_layers(case)) is not None:
        return finding
    spreads = depth(case)
    if len(spreads) < FEW:
        return None
    names, values = zip(*spreads, strict=True)
    if values[0] <= 0 or not all(map(math.isfinite, values)):
        return None
    left = values[-1] / values[0]
    each = left ** (1 / (len(values) - 1)) if left > 0 else 0.0
    few = len(spreads) < LAYERS
    if few and left == 0:
        return None  # one of them is off: that is no shrinking
    # where nothing says how well it learns, only what no usual start does
    nothing_known = case.skill is None and not case.loss_is_error
    most = NOTHING_LEFT if few or nothing_known else PER_LAYER
    # a mean over places, say, makes what varies small at once, and that is no shrinking
    at_once = not few and median(b / a for a, b in pairwise(values) if a > 0) > PER_LAYER
    if left > SHRUNK or each > most or at_once or known_to_learn(case, 0.3):
        return None
    kinds = {layer.activation for layer in hidden_activations(case)}
    if any((layer.function.steepest or 1.0) <= 0.25 for layer in hidden_activations(case)):
        case.ruled_out.append(
            (
                "signal_vanishes",
                "the activations are sigmoids, whose slope of at most 1/4 does it under any "
                "initialisation",
            )
        )
        return None
    start = "xavier_normal()" if "tanh" in kinds else "kaiming_normal()"
    return Finding(
        "signal_vanishes",
        STEP,
        "error" if not case.before_training or left < 0.01 else "warning",
        0.9,
        f"At the start, each layer loses {100 * (1 - each):.0f} % of the signal: of the variation "
        f"between samples at {layer_label(names[0])}, only {left:.1g} is left at "
        f"{layer_label(names[-1])}. The output hardly depends on the input, so that no gradient "
        "tells the early layers what to change.",
        [
            Measure(
                f"spread over samples, {layer_label(names[-1])} / {layer_label(names[0])}",
                significant(left),
                "about 1",
                "He et al. 2015",
            ),
            Measure("left per layer", significant(each), "about 1", "geometric mean"),
        ],
        [
            Remedy(
                {"initialize": start},
                "weights as large as the number of inputs asks for keep the signal's size through "
                "all layers",
                f"initialise every hidden layer with torch.nn.init.{start[:-2]}_",
            ),
            Remedy(
                {},
                "batch norm after each layer sets the signal's size anew",
                "put a batch norm or layer norm after each hidden layer",
            ),
        ],
        {"layers": list(names)},
        0,
    )


def _in_recurrent_layers(case: Case) -> Finding | None:
    """A recurrent layer of which every matrix is next to nothing beside PyTorch's start, uniform up
    to 1/√hidden: its states hardly depend on what it reads.
    """
    if case.steps < LEAST_STEPS or not case.looks or known_to_learn(case, 0.3):
        return None
    tiny: dict[str, float] = {}  # of each layer, the largest of its matrices, times a usual one
    for layer in case.layers("weights"):
        if layer.kind not in RECURRENT:
            continue
        sizes = [
            total_norm(case.looks[0].changes[name].weight) / _usual_length(layer, case, name)
            for name in layer.parameters
            if name in case.looks[0].changes
            and ("_ih_" in name or "_hh_" in name)
            and len(case.facts.parameters[name].shape) == 2
        ]
        if sizes and max(sizes) < OF_USUAL:
            tiny[layer.name] = max(sizes)
    if not tiny:
        return None
    size = max(tiny.values())
    return Finding(
        "signal_vanishes",
        STEP,
        "error",
        0.85,
        f"The matrices of {' and '.join(map(layer_label, tiny))} begin with at most "
        f"{significant(size, 2):g} of the length of those that PyTorch draws: next to nothing of "
        "the input comes into its states, and less of that into the next one, so that no gradient "
        "tells the weights what to change.",
        [
            Measure(
                "length of the largest matrix at the start, times that of PyTorch's start",
                significant(size),
                "about 1",
                "uniform up to 1/√hidden",
            )
        ],
        [
            Remedy(
                {},
                "states that depend on what is read give every matrix a gradient",
                "leave the layer as PyTorch draws it, layer.reset_parameters(), or use "
                "torch.nn.init.xavier_uniform_ and orthogonal_ for its matrices",
            )
        ],
        {"layers": list(tiny)},
        0,
    )


def _usual_length(layer: LayerFacts, case: Case, name: str) -> float:
    """√Σ w² of a matrix [rows, columns] of numbers that are uniform up to 1/√hidden."""
    rows, columns = case.facts.parameters[name].shape
    hidden = rows // RECURRENT[layer.kind]
    return math.sqrt(rows * columns / (3 * hidden))


def depth(case: Case) -> list[tuple[str, float]]:
    """The root mean square, over units, of the spread over samples, of each hidden activation at
    the first look.
    """
    if not case.looks:
        return []
    look: Look = case.looks[0]
    return [
        (layer.name, float(look.signals[layer.name].std.double().square().mean().sqrt()))
        for layer in hidden_activations(case) or _own_functions(case)
        if layer.name in look.signals
    ]


def _own_functions(case: Case) -> list[LayerFacts]:
    """Modules without parameters that are not PyTorch's, between layers of weights: activations of
    somebody's own.
    """
    roles = [layer.role for layer in case.layers()]
    last = len(roles) - 1 - roles[::-1].index("weights") if "weights" in roles else 0
    return [
        layer
        for before, layer in zip(roles, case.layers()[1:last], strict=False)
        if before in ("weights", "norm") and layer.role == "other" and not hasattr(nn, layer.kind)
    ]
