"""saturated_units: sigmoids or tanhs at the flat ends of their range pass hardly any gradient back.

Measured: the share of a hidden layer's outputs within 1 % of the ends of its activation's range, in
each of the last three looks. Of a softmax within the network, as of attention: the share of rows
with nearly all weight in one place, from the first look on. Source: Glorot, Bengio 2010; Vaswani et
al. 2017, section 3.2.1.

Remedies: `xavier_normal()` and standardised inputs; ReLU in the hidden layers. Silent on: a softmax
that becomes sure while the network learns; tanh layers near ±1 in a network that learns; an output
layer, which may be sure of its answers; activations without a flat end; layers that began so, as
those of a network that was trained before, where even the last weights, which no flat end keeps
from learning, hardly moved, and the first loss is no larger than that of one that knows nothing.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.vanishing_gradient import ratios
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import (
    change_activation,
    first_loss,
    hidden_activations,
    layer_label,
    learned_enough,
    path_of_steps,
    significant,
    weight_layers,
)
from sevensteps.observe.look import Look

STEP = "predict"
EXPLAINS = (
    "vanishing_gradient",
    "output_overconfident",
    "underfitting",
    "too_small",
    "learning_rate_too_low",
    "stopped_early",
    "ill_conditioned",
    "loss_terms_unbalanced",
)
FIRST = 5  # steps, within which a look is one at the start
PATH = 0.1  # all steps together, in norms of the weights
FAR_OFF = 3.0  # times the loss of a network that knows nothing
LEFT = 0.1  # of the last layer's relative gradient in the first, where it does not vanish
GATED, LONG = ("LSTM", "GRU", "RNN"), 6.0  # layers, and norms of their rows
WHOLE = 0.95  # of a layer's outputs, which then say next to nothing of the input
MOST = 0.7  # share of a layer's outputs at the ends
PEAKED, STILL_PEAKED = 0.8, 0.5  # share of the rows of a softmax, at the start and at the end


def examine(case: Case) -> Finding | None:
    if not case.looks or known_to_learn(case, 0.8):
        return None
    if learned_enough(case, 0.8):  # nothing says how well it learns
        return _from_the_start(case)
    if (finding := _peaked_softmax(case) or _shut_gates(case)) is not None:
        return finding
    return _flat_ends(case, _saturated(case))


def _saturated(case: Case) -> dict[str, float]:
    """The hidden activations with most of their outputs at the ends, in each of the last looks."""
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
    return saturated


def _from_the_start(case: Case) -> Finding | None:
    """Units at the ends of their range in the first look and the last ones, by weights or biases
    that are too large for any usual start.
    """
    long = {
        layer.name
        for layer, name in weight_layers(case)
        if (facts := case.facts.parameters[name]).length > LONG * math.sqrt(facts.shape[0])
    }
    order = [layer.name for layer in case.layers()]
    saturated = {
        name: share
        for name, share in _saturated(case).items()
        if (share > WHOLE or (order.index(name) and order[order.index(name) - 1] in long))
        and (first := case.looks[0].signals.get(name)) is not None
        and first.flat is not None
        and float(first.flat.mean()) >= MOST
    }
    return _flat_ends(case, saturated)


def _flat_ends(case: Case, saturated: dict[str, float]) -> Finding | None:
    if not saturated:
        return None
    name, share = max(saturated.items(), key=lambda item: item[1])
    first = case.looks[0].signals.get(name)
    at_start = first is not None and first.flat is not None and float(first.flat.mean()) >= MOST
    if at_start and 0 < (path := path_of_steps(case)) < PATH and not _starts_far_off(case):
        why = f"not even the last layer moved by more than {path:.2g} of its norm"
        case.ruled_out.append(("saturated_units", why))
        return None
    spread = (
        float(case.looks[-1].signals[name].std.mean())
        if name in case.looks[-1].signals
        else math.nan
    )
    sizes = [row for row in ratios(case) if row[1] > 0]
    passed = sizes[0][1] / sizes[-1][1] if len(sizes) > 1 else math.nan
    ends = [(sizes[0][0], sizes[-1][0])] if len(sizes) > 1 else []
    return Finding(
        "saturated_units",
        STEP,
        "error" if share > WHOLE else "warning",
        0.8,
        f"{share:.0%} of the outputs of {layer_label(name)} lie at the flat ends of its "
        "activation, "
        f"{'from the start: its weights are too large' if at_start else 'by the end'}. There its "
        "slope is near 0: "
        + (
            "the gradient vanishes on its way back through it, and the layers before it learn "
            "hardly anything."
            if not passed > LEFT
            else "for most samples no gradient comes back through it, and the rest is multiplied "
            "by large weights: the layers before it are moved by a few samples, and learn little "
            "that holds for others."
        ),
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
        ]
        + [
            Measure(
                f"|gradient| / |weights|, {layer_label(before)} against {layer_label(after)}",
                significant(passed),
                "about 1",
                "median over the looks",
            )
            for before, after in ends
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
        # no loss has led to what began so
        {"layers": list(saturated)}
        | ({"apart_from": ["loss_terms_unbalanced"]} if at_start else {}),
        0 if at_start else None,
    )


def _starts_far_off(case: Case) -> bool:
    """Whether the first loss is far above that of a network that knows nothing: what was trained
    before starts below.
    """
    return case.baseline_loss is not None and first_loss(case) > FAR_OFF * case.baseline_loss > 0


def _shut_gates(case: Case) -> Finding | None:
    """A recurrent layer whose weights are so large at the start that its gates are open or shut."""
    lengths = {
        layer.name: max(facts.length / math.sqrt(facts.shape[0]) for facts in matrices)
        for layer in case.layers("weights")
        if layer.kind in GATED
        and (
            matrices := [
                case.facts.parameters[name]
                for name in layer.parameters
                if "weight_hh" in name and name in case.facts.parameters
            ]
        )
    }
    if not lengths or max(lengths.values()) < LONG or learned_enough(case, 0.6):
        return None
    name, length = max(lengths.items(), key=lambda item: item[1])
    return Finding(
        "saturated_units",
        STEP,
        "error",
        0.85,
        f"The weights with which {layer_label(name)} reads its own state are too large, a norm of "
        f"{length:.3g} per unit: its gates and units lie at the flat ends of sigmoid and tanh "
        "whatever comes in, and hardly any gradient passes them.",
        [
            Measure(
                f"norm of a row of {name}.weight_hh",
                significant(length),
                "0.6 to 1",
                "PyTorch's default; orthogonal",
            )
        ],
        [
            Remedy(
                {},
                "gates that are neither open nor shut can learn when to be",
                "leave PyTorch's initialisation, or torch.nn.init.orthogonal_ for weight_hh",
            )
        ],
        {"layers": [name]},
        0,
    )


def _peaked_softmax(case: Case) -> Finding | None:
    """A softmax within the network, as of attention, that has nearly all its weight in one place
    for nearly all rows from the first look on, before anything was learned.
    """
    looks = [look for look in case.looks if _peaks(look)]
    if len(looks) < 2 or looks[0].step > FIRST:
        return None
    first, last = _peaks(looks[0]), _peaks(looks[-1])
    peaked = {
        where: share
        for where, share in first.items()
        if share >= PEAKED and last.get(where, 0.0) >= STILL_PEAKED
    }
    if not peaked:
        return None
    (where, place), share = max(peaked.items(), key=lambda item: item[1])
    return Finding(
        "saturated_units",
        STEP,
        "error",
        0.85,
        f"The softmax{f' in {where}' if where else ''} gives more than 0.99 of its weight to one "
        f"place in {share:.0%} of the rows from the start, before anything was learned: the scores "
        "that go into it are too large. There its slope is near 0: which place it reads is left to "
        "chance, and what computes the scores gets hardly any gradient.",
        [
            Measure(
                "rows of the softmax with more than 0.99 in one place, in the first look",
                significant(share),
                f"below {PEAKED:g}",
                f"{significant(last[where, place]):g} in the last look",
            )
        ],
        [
            Remedy(
                {},
                "scores of size 1 leave the softmax its slope",
                "divide the products of queries and keys by the square root of their width "
                "(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])), and normalise what they are "
                "computed from",
            )
        ],
        {"layers": []},
        0,
    )


def _peaks(look: Look) -> dict[tuple[str, str], float]:
    """The share of peaked rows of each softmax within the network, that is not its answer."""
    answer = look.shapes.get("output")
    return {
        (call.where, str(call.shapes)): call.content["peaked"]
        for call in look.calls
        if call.network is not None
        and "peaked" in call.content
        and next(iter(call.shapes.values()), None) != answer
    }
