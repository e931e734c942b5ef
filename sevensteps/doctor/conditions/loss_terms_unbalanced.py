"""loss_terms_unbalanced: the gradient of one term of the loss drowns that of another.

Of two heads on one body, the body then follows one alone, and the other has only what that leaves
to it. Measured: in full looks, the length of each term's gradient at the place where their ways
meet; and whether the loss of the drowned term has moved. Source: Chen et al. 2018, GradNorm.

Remedies: standardise the targets of the larger term, or weigh the terms so that their gradients are
alike. Silent on: penalties, divergences and terms without a head of their own; losses that are no
error, as of a policy; a small term that was weighed down on purpose, or that learns all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.loss_purpose import purpose_of
from sevensteps.doctor.measures import median, significant
from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.part_gradients import LossPart, PartGradients

STEP = "loss"
EXPLAINS = (
    "learning_rate_too_low",
    "learning_rate_too_high",
    "stopped_early",
    "underfitting",
    "too_small",
    "ill_conditioned",
    "exploding_gradient",
    "gradient_clipped_away",
    "dead_units",
    "saturated_units",
    "targets_unscaled",
    "optimizer_setting",
    "labels_unrelated",
    "output_overconfident",
)
LARGER = 300.0  # times the gradient of the other term
STILL = 0.85  # of the loss at the start, above which the drowned term has hardly moved
WEIGHED_DOWN = 0.3  # of the factor of the larger term
LEAST_LOOKS = 4  # that measured the gradients
LEAST_STEPS = 50  # before which a term may not have moved yet
LARGE_TARGETS = 20.0  # in size


@dataclass(frozen=True)
class _Drowned:
    """A term, and the one that drowns it: in the last look, and over all."""

    small: LossPart
    large: LossPart
    place: str
    ratio: float
    losses: tuple[float, float]  # of the drowned term, at the start and at the end
    look: Look


def examine(case: Case) -> Finding | None:
    measured = [(look, one) for look in case.looks for one in look.part_gradients[:1]]
    if len(measured) < LEAST_LOOKS or case.steps < LEAST_STEPS or case.diverged_at is not None:
        return None
    last_look, last = measured[-1]
    pairs = [
        drowned
        for small, large in permutations(range(len(last.parts)), 2)
        if (drowned := _drowned(case, measured, last_look, last, small, large)) is not None
    ]
    if not pairs:
        return None
    worst = max(pairs, key=lambda pair: pair.ratio)
    small, large = worst.small.own, worst.large.own
    content = worst.look.calls[worst.large.call].content if worst.large.call is not None else {}
    size = max(abs(content.get("target.low", 0.0)), abs(content.get("target.high", 0.0)))
    advice = f"divide the loss of {large} by about {worst.ratio:.1g}, or standardise its targets"
    if size > LARGE_TARGETS:
        advice = (
            f"standardise the targets of {large}: subtract their mean, divide by their standard "
            "deviation, and undo it for predictions"
        )
    return Finding(
        "loss_terms_unbalanced",
        STEP,
        "error",
        0.88,
        f"{large} sends {worst.ratio:,.2g} times more gradient into {worst.place} than {small} "
        f"does: {worst.place} learns for {large} alone, and the loss of {small} has come from "
        f"{worst.losses[0]:.3g} to no more than {worst.losses[1]:.3g}.",
        [
            Measure(
                f"gradient of {large} in {worst.place}, times that of {small}",
                significant(worst.ratio, 2),
                f"below {LARGER:g}",
                f"{len(measured)} full looks",
            ),
            Measure(
                f"loss of {small} at the end",
                significant(worst.losses[1]),
                f"well below {worst.losses[0]:.3g}, that at the start",
                f"{worst.small.name}",
            ),
        ],
        [Remedy({}, f"{worst.place} then learns for both", advice)],
        {"layers": [worst.place], "terms": [worst.large.name, worst.small.name]},
        0,
    )


def _drowned(
    case: Case,
    measured: list[tuple[Look, PartGradients]],
    look: Look,
    last: PartGradients,
    small: int,
    large: int,
) -> _Drowned | None:
    """Whether the `large` part of the last full look drowns the `small` one."""
    little, much = last.parts[small], last.parts[large]
    own, other = _term(look, little), _term(look, much)
    if own is None or other is None or not (little.own and much.own):
        return None
    if any(purpose_of(term) != "error" for term in (own, other)):
        return None
    if abs(own.factor or 0.0) < WEIGHED_DOWN * abs(other.factor or 0.0):
        return None
    ratios = []
    for _, one in measured[len(measured) // 2 :]:
        lengths = {part.own: part.length for part in one.parts}
        if one.place == last.place and little.own in lengths and much.own in lengths:
            below, above = lengths[little.own], lengths[much.own]
            ratios.append(above / below if below > 0 else math.nan)
    ratio = median(ratios)
    if not (math.isfinite(ratio) and ratio >= LARGER and min(ratios) >= LARGER):
        return None
    losses = [value for seen in case.looks if (value := _loss(seen, own)) is not None]
    if len(losses) < 8:
        return None
    start, end = losses[0], median(losses[-max(len(losses) // 4, 1) :])
    if not start > 0 or end < STILL * start:
        return None
    return _Drowned(little, much, last.place, ratio, (start, end), look)


def _term(look: Look, part: LossPart) -> LossTerm | None:
    """The term of the loss that a part consists of; None of several."""
    terms = [term for term in look.loss_terms if term.call == part.call and term.call is not None]
    return terms[0] if len(terms) == 1 else None


def _loss(look: Look, own: LossTerm) -> float | None:
    """The value of a term in a look, without its factor."""
    for term in look.loss_terms:
        same = (term.name, term.network, term.output) == (own.name, own.network, own.output)
        if same and term.contribution is not None and term.factor:
            return term.contribution / term.factor
    return None
