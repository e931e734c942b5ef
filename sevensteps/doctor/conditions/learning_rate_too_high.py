"""learning_rate_too_high: the steps are so long that they jump over the minimum.

The loss rises, and units or numbers are lost on the way. Measured: what happened, not the number:
whole weight matrices moved by a large part of their own length in one of the first steps, or the
loss grew, and the training did not recover; or it had gone well, and lost most of it at once under
steps that a schedule had lengthened, or in a jump far above the first loss. Gradient descent on a
quadratic is unstable beyond lr = 2/λ_max; training often settles just there ("edge of stability"),
which is healthy. Source: Cauchy 1847; Cohen et al. 2021, Gradient Descent on Neural Networks
Typically Occurs at the Edge of Stability.

Remedies: a tenth of the rate at most, and less where the jump or the curvature asks for it.
Silent on: rates that look large but whose training goes well; the edge of stability; an early
rise that is made good; a loss that is no number and had never grown; the perceptron's rule, whose
answers do not depend on the rate.
"""

from __future__ import annotations

import math
import statistics

from sevensteps.doctor.case import Case
from sevensteps.doctor.collapse import collapse_under_long_steps
from sevensteps.doctor.falling_scores import score_rises
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import (
    ADAPTIVE,
    final_loss,
    first_loss,
    largest_early_update,
    layer_label,
    learned_enough,
    loss_swing,
    optimizer_name,
    significant,
    step_with_rate,
    total_norm,
    weight_layers,
)
from sevensteps.doctor.perceptron import uses_perceptron_rule
from sevensteps.doctor.rate_by_itself import SCALES, apart_from
from sevensteps.doctor.simple_models import worse_than_simple_model
from sevensteps.doctor.trace.search import by_operation

STEP = "step"
EXPLAINS = (
    "dead_units",
    "saturated_units",
    "not_finite",
    "exploding_gradient",
    "underfitting",
    "vanishing_gradient",
    "stopped_early",
    "batch_too_small",
    "optimizer_setting",
    "ill_conditioned",
    "class_imbalance",
    "too_small",
    "signal_explodes",
    "weight_decay_too_strong",
    "overfitting",
    "schedule_collapsed",
)
JUMP = 0.5  # |Δw| / |w| of a whole matrix in one step
LONG, SOMEWHAT = 0.1, 1.3  # |Δw| / |w| of a step, and times the first loss, where a layer dies
ALIVE, DEAD = 0.1, 0.9  # share of a layer's units that are off at its start, and at its end
STRIDE = 0.005  # of their length that weights move at least in a step that can make the loss rise
ROSE = 1.5  # times the first loss
THROWN = 10.0  # times it, of a loss of which nothing else is known
# |Δw| / |w| of the first step of Adam and its like, before it is taken; the largest of a healthy
# training was 10
LEAP = 20.0
# times the edge of stability; training settles by itself below some four times that (Lewkowycz et
# al. 2020)
BEYOND = 20.0
# |Δw| / |w| in the first step of a training that goes well: about the median of the healthy ones of
# benchmarks/doctor
WALK = 0.03
PROVEN = 0.97  # sure of a rate that no scale of the data makes stable
FEW, EARLY = 4, 20  # samples of a batch whose loss alone says little; losses that say more
STEADY = 0.4  # spread of the last losses, of their mean, of a training that does not swing
NOISE = 4.0  # standard deviations of the last losses that a single one may lie above them


def examine(case: Case) -> Finding | None:
    if uses_perceptron_rule(case):
        return None
    if case.before_training:
        return _foreseen(case)
    if not case.lr or not case.looks or case.steps < 2:
        return None
    if known_to_learn(case, 0.85) and not _holds_nowhere(case):
        return None
    if learned_enough(case, 0.85) and not _thrown_far_off(case):
        return None
    first, end = _start(case), final_loss(case)
    step, jump, layer = largest_early_update(case)
    if jump <= JUMP and by_operation(case):
        return None
    early = [
        value for s, value in case.losses if s <= max(20, case.steps // 10) and math.isfinite(value)
    ]
    peak = max(early, default=math.nan)
    rose = peak > ROSE * first and abs(first) > 0
    worse = case.diverged_at is not None or not end < 0.98 * max(first, case.baseline_loss or first)
    swing = loss_swing(case)
    stalled = worse or (case.skill is not None and case.skill < 0.3)
    sure = 0.0
    if jump > JUMP and stalled and (rose or worse or case.diverged_at is not None):
        sure = 0.9
    elif jump > 4 * JUMP and rose:
        sure = 0.8
    elif case.diverged_at is not None and (rose or _rose_later(case)):
        sure = 0.85
    elif rose and worse and jump > STRIDE and not _is_usual(case, early, ROSE * first):
        sure = 0.8
    elif jump > LONG and worse and stalled and _rose_at_all(case, first) and _layer_died(case):
        sure = 0.75
    elif jump > JUMP and swing > 0.5 and not learned_enough(case, 0.6):
        sure = 0.7
    elif (
        swing > 0.3
        and not learned_enough(case, 0.6)
        and worse_than_simple_model(case, 0.1)
        and _beyond_edge(case)
    ):
        sure = 0.6
    if not sure:
        return collapse_under_long_steps(case)
    lr, apart = case.lr, apart_from(case, JUMP)
    if stalled and not set(SCALES).isdisjoint(apart):
        sure = max(sure, PROVEN)
    edge = (
        2 / case.curvature
        if case.curvature is not None
        and case.curvature > 0
        and optimizer_name(case) not in ADAPTIVE
        else None
    )
    proposed = lr * min(0.1, max(WALK / jump, 1e-5)) if jump > 0 else lr / 10
    if edge and math.isfinite(edge) and edge > lr / 1000:
        proposed = min(proposed, edge / 2)
    evidence = (
        [
            Measure(
                f"|Δw| / |w| of {layer_label(layer)} in step {step}",
                significant(jump),
                "below 0.1",
                "true update, first looks",
            )
        ]
        if layer
        else []
    )
    evidence.append(
        Measure(
            "largest early loss against the first",
            significant(peak / first) if first else None,
            f"below {ROSE:g}",
            "losses of every step",
        )
    )
    evidence.append(
        Measure(
            "loss at the end",
            significant(end) if case.diverged_at is None else "not a number",
            f"below {first:.3g}, the first",
            "",
        )
    )
    onset = next(
        (s for s, value in case.losses if s and (not math.isfinite(value) or value > 1.2 * first)),
        step,
    )
    return Finding(
        "learning_rate_too_high",
        STEP,
        "error" if stalled else "warning",
        sure,
        f"With a learning rate of {lr:g} the steps are too long. "
        + (
            f"Step {step} changed {layer_label(layer)} by {jump:.3g} times the norm of its "
            "weights.  "
            if jump > 0.1
            else ""
        )
        + (
            f"The loss went from {first:.3g} up to {peak:.3g}"
            + (
                " and on to NaN or infinity."
                if case.diverged_at is not None
                else f", and ended at {end:.3g}."
            )
            if rose or worse
            else f"The loss swings about {end:.3g} without settling."
        ),
        evidence,
        [
            Remedy(
                {"step": step_with_rate(case, proposed)},
                "shorter steps follow the slope instead of jumping across the valley",
                f"a learning rate of about {proposed:.1g}",
            ),
            Remedy(
                {"step": step_with_rate(case, math.sqrt(lr * proposed))},
                "halfway to that rate, on a logarithmic scale",
                f"a learning rate of about {math.sqrt(lr * proposed):.1g}",
            ),
        ],
        {"layers": [layer] if layer else [], "apart_from": apart},
        min(step, onset),
    )


def _rose_at_all(case: Case, first: float) -> bool:
    """Whether the loss was clearly above the first at any time, as a momentum gathers its steps."""
    return max((v for _, v in case.losses if math.isfinite(v)), default=0.0) > SOMEWHAT * first > 0


def _layer_died(case: Case) -> bool:
    """Whether nearly all units of a layer were alive in the first look, and off in the last."""
    first, last = (
        {name: float((s.firing == 0).double().mean()) for name, s in look.signals.items()}
        for look in (case.looks[0], case.looks[-1])
    )
    hidden = [layer.name for layer in case.layers("activation") if layer.activation == "relu"]
    return any(first.get(name, 1.0) < ALIVE and last.get(name, 0.0) > DEAD for name in hidden)


def _holds_nowhere(case: Case) -> bool:
    """Whether what was learned is worth nothing on the validation data."""
    valid, least = case.scores.get("valid"), case.baseline_score
    return valid is not None and least is not None and valid <= least


def _thrown_far_off(case: Case) -> bool:
    """Whether, of a loss that says nothing of what was learned, the first steps were longer than
    the weights themselves and threw it far above its start: what it came from since, it had not
    begun with.
    """
    if case.several or case.bootstrapped or score_rises(case):
        return False
    first, (_, jump, _) = abs(_start(case)), largest_early_update(case)
    early = [v for s, v in case.losses if s <= max(EARLY, case.steps // 10) and math.isfinite(v)]
    return jump > 2 * JUMP and max(early, default=0.0) > THROWN * first > 0


def _start(case: Case) -> float:
    """The loss of the first step; of a few samples it says little, and the median of the first
    ones is taken where that is higher and what came after it was lower.
    """
    first = first_loss(case)
    batch = max((look.batch for look in case.looks), default=0)
    early = [value for _, value in case.losses[:EARLY] if math.isfinite(value)]
    if batch > FEW or len(early) < EARLY or case.diverged_at is not None:
        return first
    usual = statistics.median(early)
    return usual if usual > first and final_loss(case) < usual / 2 else first


def _is_usual(case: Case, early: list[float], high: float) -> bool:
    """Whether a loss as high as the highest early one is no more than batches differ by: few of
    the early ones are high, and it is within the spread of the last half.
    """
    late = [value for _, value in case.losses[len(case.losses) // 2 :] if math.isfinite(value)]
    if len(late) < 20:
        return False
    mean, spread = statistics.fmean(late), statistics.stdev(late)
    lucky = spread < STEADY * mean and first_loss(case) > mean - NOISE * spread  # a first low one
    if statistics.median(early) > (max(high, ROSE * mean) if lucky else high):
        return False
    return max(early) < mean + NOISE * spread


def _rose_later(case: Case) -> bool:
    """Whether the loss had grown at any time before it was no number."""
    finite = [value for _, value in case.losses if math.isfinite(value)]
    return bool(finite) and max(finite) > ROSE * abs(finite[0]) > 0


def _foreseen(case: Case) -> Finding | None:
    """Before the first step: a rate far beyond the edge of stability, or with which the first step
    is many times the weights.
    """
    if not case.lr or not case.looks:
        return None
    lr, adaptive, moves = case.lr, optimizer_name(case) in ADAPTIVE, []
    for layer, name in weight_layers(case):
        change, facts = case.looks[0].changes.get(name), case.facts.parameters[name]
        if change is not None:
            size = math.sqrt(math.prod(facts.shape)) if adaptive else total_norm(change.gradient)
            moves.append(
                (lr * size / max(facts.length, 0.1 * math.sqrt(facts.shape[0])), layer.name)
            )
    jump, layer_name = max((m for m in moves if math.isfinite(m[0])), default=(0.0, ""))
    edge = (
        2 / case.curvature
        if not adaptive and jump > JUMP / 2 and case.curvature is not None and case.curvature > 0
        else None
    )
    if not (jump > LEAP if adaptive else edge is not None and lr > BEYOND * edge):
        return None
    proposed = edge / 2 if edge else lr * WALK / jump
    evidence = [
        Measure(
            f"|Δw| / |w| of {layer_label(layer_name)} in the first step",
            significant(jump),
            "below 0.1",
            "gradient of one batch",
        )
    ]
    if edge:
        evidence.append(
            Measure(
                "largest stable learning rate, 2/λ_max",
                significant(edge),
                f"above {significant(lr / BEYOND)}",
                "Lanczos, one batch",
            )
        )
    return Finding(
        "learning_rate_too_high",
        STEP,
        "warning",
        0.75,
        f"With a learning rate of {lr:g} the first step would change {layer_label(layer_name)} by "
        f"{jump:.3g} times the norm of its weights"
        + (
            f", and the loss is so curved that plain gradient descent is stable up to {edge:.2g} "
            "only."
            if edge
            else "."
        ),
        evidence,
        [
            Remedy(
                {"step": step_with_rate(case, proposed)},
                "shorter steps follow the slope instead of jumping across the valley",
                f"a learning rate of about {proposed:.1g}",
            )
        ],
        {"layers": [layer_name]},
        0,
    )


def _beyond_edge(case: Case) -> bool:
    if optimizer_name(case) in ADAPTIVE or case.curvature is None or not case.looks[-1].lr:
        return False
    momentum = float(case.facts.groups[0].get("momentum", 0.0) or 0.0) if case.facts.groups else 0.0
    return case.looks[-1].lr[0] * case.curvature > 2 * (2 + 2 * momentum)
