"""How much a sample of each class weighs in the loss of a case: by the weights that its loss
function was called with, or by the gradients at the outputs.
"""

from __future__ import annotations

import statistics
from collections import Counter

from sevensteps.doctor.case import Case
from sevensteps.doctor.kind_of_task import class_axis
from sevensteps.observe.look import Look

CONSTANT = 0.05  # by which the weights of one class's samples may differ
MIN_LOGIT_ERROR = 1e-3  # of a probability: smaller ones make their gradient's ratio unsure


def class_weights(case: Case) -> dict[int, float] | None:
    """The weight of a sample of each class, as the loss function was given it, else relative to
    that of the most common class; None where all weigh the same, or it cannot be told.
    """
    weights = _of_calls(case) or _of_gradients(case)
    if weights is None or max(weights.values()) <= (1 + CONSTANT) * min(weights.values()):
        return None
    return weights


def _of_calls(case: Case) -> dict[int, float] | None:
    for _, call in case.loss_calls:
        if call.name in ("cross_entropy", "nll_loss") and call.options.get("weight"):
            return {c: float(weight) for c, weight in enumerate(call.options["weight"])}
        weight = call.options.get("pos_weight")
        if call.name == "binary_cross_entropy_with_logits" and weight and len(weight) == 1:
            return {0: 1.0, 1: float(weight[0])}
    return None


def _of_gradients(case: Case) -> dict[int, float] | None:
    """By cross-entropy's gradient at the logits, w (p - one-hot): the ratio of that observed to
    that of an unweighted loss.
    """
    ratios: dict[int, list[float]] = {}
    for look in case.looks[:16]:
        own = _ratios(look)
        if not own:
            continue
        if any(statistics.pstdev(v) > CONSTANT * abs(statistics.fmean(v)) for v in own.values()):
            return None  # weighed by something else, or another loss
        means = {c: statistics.fmean(values) for c, values in own.items() if any(values)}
        if not means:
            continue
        counts = Counter({c: len(own[c]) for c in means})
        unit = means[counts.most_common(1)[0][0]]
        for c, mean in means.items():
            ratios.setdefault(c, []).append(mean / unit)
    weights = {c: statistics.median(values) for c, values in ratios.items()}
    return weights if len(weights) > 1 and min(weights.values()) > 0 else None


def _ratios(look: Look) -> dict[int, list[float]]:
    """For each class, the ratios of its samples in one look."""
    output, target, gradient = look.output, look.target, look.output_gradient
    if output is None or target is None or gradient is None or gradient.shape != output.shape:
        return {}
    if len(target) != len(output) or not bool(gradient.isfinite().all()):
        return {}
    o, g = output.double(), gradient.double()
    if o.numel() == len(o):  # one logit for yes or no
        t = target.reshape(-1)
        if len(t) != len(o) or not bool(((t == 0) | (t == 1)).all()):
            return {}
        error, g, labels = o.reshape(-1).sigmoid() - t, g.reshape(-1), t.long()
    else:
        axis = class_axis(tuple(o.shape), tuple(target.shape))
        if target.is_floating_point() or axis is None:
            return {}
        known = (target >= 0) & (target < o.shape[axis])
        labels = target[known].long()
        p = o.movedim(axis, -1)[known].softmax(-1)
        at = labels[:, None]
        error = p.gather(1, at)[:, 0] - 1
        g = g.movedim(axis, -1)[known].gather(1, at)[:, 0]
    sure = error.abs() > MIN_LOGIT_ERROR
    if not bool(sure.any()):
        return {}
    found: dict[int, list[float]] = {}
    for label, ratio in zip(labels[sure].tolist(), (g[sure] / error[sure]).tolist(), strict=True):
        found.setdefault(label, []).append(ratio)
    return found
