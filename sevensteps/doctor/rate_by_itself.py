"""Whether a learning rate is too high by itself: other faults that also make steps too long, such
as weights or inputs that are too large, could go and the steps would still be too long.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.measures import (
    ADAPTIVE,
    first_loss,
    optimizer_name,
    total_norm,
    weight_layers,
)
from sevensteps.observe.look import Look

SCALES = ("inputs_unscaled", "targets_unscaled")
STARTS = ("output_overconfident", "signal_explodes", "saturated_units")
USUAL = math.sqrt(2)  # norm of a weight row by He et al. 2015
LEFT = 1e-3  # of a gradient that is proportional to the error, beside that proportion


def beyond_any_scale(case: Case) -> bool:
    """Whether gradient descent on a squared error diverges along the output's bias.

    The gradient of that bias is the sum of c · (output - target) over the batch, whatever the
    inputs and the weights are: its curvature is c · B, and beyond 2 (1 + momentum) / (c · B) each
    step overshoots by more than the last (Polyak 1964). Inputs and targets of size 1 do not change
    that.
    """
    if optimizer_name(case).lower() != "sgd" or not case.looks or not case.looks[0].lr:
        return False
    layers = weight_layers(case)
    biased = bool(layers) and any(
        len(parameter.shape) == 1
        for name in layers[-1][0].parameters
        if (parameter := case.facts.parameters.get(name)) is not None
    )
    factor = _error_factor(case.looks[0])
    if not biased or factor is None:
        return False
    momentum = float(case.facts.groups[0].get("momentum", 0.0) or 0.0)
    return case.looks[0].lr[0] * factor * case.looks[0].batch > 2 * (1 + momentum)


def _error_factor(look: Look) -> float | None:
    """c, where the gradient at the output is c · (output - target); None where it is not."""
    output, target, gradient = look.output, look.target, look.output_gradient
    if output is None or target is None or gradient is None or not target.is_floating_point():
        return None
    if output.ndim > 2 or target.numel() != output.numel() or gradient.shape != output.shape:
        return None
    error = (output - target.reshape(output.shape)).double()
    square = float(error.square().sum())
    if not 0 < square < math.inf:
        return None
    factor = float((gradient.double() * error).sum()) / square
    rest = float((gradient.double() - factor * error).norm())
    return factor if factor > 0 and rest <= LEFT * float(gradient.double().norm()) else None


def first_update_from_usual_weights(case: Case) -> float:
    """|Δw| / |w| that the first step would have with weights of the usual size; nan where it is not
    known.

    A layer's gradient grows with the weights of all others, and with the error, which for a squared
    one they enlarge as well. Activations that are bounded pass on less of that: the estimate is
    then too low.
    """
    if not case.looks:
        return math.nan
    times: dict[str, float] = {}
    for layer, name in weight_layers(case):
        facts = case.facts.parameters[name]
        times[layer.name] = max(facts.length / math.sqrt(facts.shape[0]) / USUAL, 1.0)
    together = max(math.prod(times.values()), _growth(case))
    adaptive = optimizer_name(case) in ADAPTIVE
    loss, ignorant = first_loss(case), case.baseline_loss
    error = (
        math.sqrt(max(loss / ignorant, 1.0))
        if case.task == "regression" and ignorant and ignorant > 0 and math.isfinite(loss)
        else 1.0
    )
    updates = []
    for layer, name in weight_layers(case):
        change, facts = case.looks[0].changes.get(name), case.facts.parameters[name]
        if change is None or math.isnan(size := total_norm(change.update)):
            continue
        old = max(facts.length, 0.1 * math.sqrt(facts.shape[0]))
        others = 1.0 if adaptive else together / times[layer.name] * error
        updates.append(size / old * times[layer.name] / others)
    return max(updates, default=math.nan)


def _growth(case: Case) -> float:
    """How many times as large as inputs of size 1 the answers of the first look are: what rows of
    one sign add up to is more than their lengths show. 1 where it is not known.
    """
    output, x = case.looks[0].output, case.observation.x
    if output is None or x is None or not (x.is_floating_point() and output.is_floating_point()):
        return 1.0
    sizes = [float(t.double().square().mean().sqrt()) for t in (output, x)]
    return sizes[0] / max(sizes[1], 1.0) if all(map(math.isfinite, sizes)) else 1.0


def apart_from(case: Case, jump: float) -> list[str]:
    """The conditions that a learning rate is too high in spite of; `jump` is |Δw| / |w| of a step
    that is too long.
    """
    scales = SCALES if beyond_any_scale(case) else ()
    starts = STARTS if scales or first_update_from_usual_weights(case) > jump else ()
    if any(f.condition == "signal_explodes" and not f.where for f in case.findings):
        return [*scales]  # it grows on a way that the layers' sizes do not show
    return [*scales, *starts]
