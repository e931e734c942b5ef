"""vanishing_gradient: the gradient shrinks on its way back, and the first layers stand still.

From layer to layer it shrinks by the same factor, that is, geometrically. Measured: each weight
matrix's gradient relative to its size, first layer against last, median over the looks. A sigmoid's
slope is at most 1/4, so that eight of them leave 4⁻⁸. Source: Hochreiter 1991; Nielsen, Neural
Networks and Deep Learning, ch. 5. And a gradient of exactly 0, where a rounding lies between the
network and its loss.

Remedies: ReLU with `kaiming_normal()`, SELU with `lecun_normal()`, or a batch norm after each
layer. Silent on: other gradients of exactly 0, which are another matter; shallow networks; networks
that learn all the same, or are about to: whose loss has clearly fallen and still falls.
"""

from __future__ import annotations

from collections.abc import Sequence

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    change_to_mlp,
    hidden_activations,
    is_improving,
    layer_label,
    learned_enough,
    median,
    significant,
    total_norm,
    weight_layers,
)
from sevensteps.observe.look import Look

STEP = "gradient"
EXPLAINS = (
    "learning_rate_too_low",
    "underfitting",
    "too_small",
    "stopped_early",
    "ill_conditioned",
    "saturated_units",
    "batch_too_small",
    "labels_unrelated",
    "class_imbalance",
    "schedule_collapsed",
    "parameters_not_updated",
)
LAYERS = 4  # weight matrices
# PyTorch's operations whose slope is 0 wherever there is one
LEVEL = {
    **{"Round": "round", "Floor": "floor", "Ceil": "ceil", "Trunc": "trunc", "Sign": "sign"},
    **{"Sgn": "sgn", "Heaviside": "heaviside", "FloorDivide": "//"},
}
LEFT = 3e-3  # of the last layer's relative gradient in the first


def ratios(case: Case, looks: Sequence[Look] | None = None) -> list[tuple[str, float]]:
    """Of every weight matrix, |gradient| / |weights|: the median over the looks."""
    sizes = []
    for layer, name in weight_layers(case):
        values = [
            total_norm(c.gradient) / w
            for look in (case.looks if looks is None else looks)
            if (c := look.changes.get(name)) is not None and (w := total_norm(c.weight)) > 0
        ]
        sizes.append((layer.name, median(values)))
    return sizes


def _vanishes(sizes: Sequence[tuple[str, float]]) -> bool:
    return 0 < sizes[0][1] <= LEFT * sizes[-1][1]


def examine(case: Case) -> Finding | None:
    return _through_steps(case) or _layer_by_layer(case)


def _through_steps(case: Case) -> Finding | None:
    """An operation whose slope is 0 everywhere, between all weights and the loss."""
    looks = [look for look in case.looks if look.loss_terms and look.changes]
    if not looks or case.before_training:
        return None
    ways = [
        {operation.name for operation in (*term.ending, *term.operations)} & LEVEL.keys()
        for look in looks
        for term in look.loss_terms
    ]
    gradients = [c.gradient for look in looks for c in look.changes.values()]
    if not all(ways) or any(g is not None and bool(g.any()) for g in gradients):
        return None
    functions = " and ".join(sorted({LEVEL[name] for way in ways for name in way}))
    return Finding(
        "vanishing_gradient",
        STEP,
        "error",
        0.97,
        f"Between the network and its loss lies {functions}, a staircase: level everywhere but "
        "where it jumps, so that its slope is 0. The gradient of every weight is exactly 0 in "
        f"each of the {len(looks)} steps looked at, and nothing can be learned.",
        [Measure("gradient of all weights", 0, "above 0", f"{len(looks)} looks")],
        [
            Remedy(
                {},
                "a slope is what the gradient is made of",
                f"leave {functions} out of the loss, and apply it to what is shown or stored; or "
                "let the gradient pass it: y + (y.round() - y).detach()",
            )
        ],
        {"layers": ["output"]},
        0,
    )


def _layer_by_layer(case: Case) -> Finding | None:
    sizes = ratios(case)
    if len(sizes) < LAYERS or learned_enough(case, 0.4) or is_improving(case):
        return None
    (first, a), (last, b) = sizes[0], sizes[-1]
    if not (a > 0 and b > 0):
        return None
    left = a / b
    if not _vanishes(sizes):
        return None
    began = next((look for look in case.looks if _vanishes(ratios(case, [look]))), None)
    onset = 0 if began is case.looks[0] else began.step if began is not None else None
    each = left ** (1 / (len(sizes) - 1))
    functions = [layer.function for layer in hidden_activations(case)]
    kinds = {row.name for row in functions if row.saturates and row.elementwise}
    through = f"{', '.join(sorted(kinds))} layers" if kinds else "layers"
    return Finding(
        "vanishing_gradient",
        STEP,
        "error",
        0.9,
        f"{'O' if onset == 0 else f'From step {onset} on, o' if onset else 'By the end, o'}n its "
        f"way back through {len(sizes) - 1} {through} the gradient is multiplied by about "
        f"{each:.3g} in each: relative to its weights, {layer_label(first)} gets {left:.3g} times "
        f"the gradient that {layer_label(last)} gets. The first layers stay as they were"
        f"{' initialised' if onset == 0 else ' by then'}.",
        [
            Measure(
                f"|gradient| / |weights|, {layer_label(first)} against {layer_label(last)}",
                significant(left),
                f"above {LEFT:g}",
                "median over the looks",
            ),
            Measure("left per layer", significant(each), "about 1", "geometric mean"),
        ],
        [
            Remedy(
                change_to_mlp(case),
                "the slope of a ReLU is 1 where it is on, so gradients pass through any depth",
                "use ReLU with kaiming_normal_, or SELU with lecun normal, or batch norm after "
                "each layer",
            )
        ],
        {"layers": [name for name, size in sizes if size < b * 0.1]},
        onset,
    )
