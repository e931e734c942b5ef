"""Whether the gradient of one head's error is drowned, in what both train, by that of another
error: of a second head, or of the inner numbers themselves, as hints of a teacher are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import permutations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.loss_purpose import purpose_of
from sevensteps.doctor.measures import median, significant
from sevensteps.doctor.questions.alone import BETTER_ALONE, Alone, trained_alone
from sevensteps.doctor.simple_models import worse_than_simple_model
from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.part_gradients import LossPart, PartGradients

LARGER = 300.0  # times the gradient of the other term
FAR_LARGER = 1000.0  # times, from which a head that learns, but little, is tried alone
STILL = 0.85  # of the loss at the start, above which the drowned term has hardly moved
HALF = 0.5  # of it, above which it has not learned where a simple model does far better
PART_LEFT = 0.2  # of it, above which a head is tried alone that is beside targets so large
RISEN, FASTER = 1.5, 3.0  # times the loss at the start, and the gradient of the other one
SERVED = 0.5  # of what it was at the start, that the error of large targets is below
BESIDE_LARGE = 0.05  # of the score, by which a head is better alone than beside such targets
WEIGHED_DOWN = 0.3  # of the factor of the larger term
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
    alone: Alone | None = None


def drowned_head(case: Case, measured: list[tuple[Look, PartGradients]]) -> Finding | None:
    """`loss_terms_unbalanced`, where an error of one head has hardly moved and another one's
    gradient is far larger; proven by a copy that learns for that head alone, where the larger one
    was weighed so on purpose or has no head of its own.
    """
    last_look, last = measured[-1]
    pairs = [
        drowned
        for small, large in permutations(range(len(last.parts)), 2)
        if (drowned := _drowned(case, measured, last_look, last, small, large)) is not None
    ]
    if not pairs:
        return None
    worst = max(pairs, key=lambda pair: pair.ratio)
    small, large = (part.own or part.name for part in (worst.small, worst.large))
    size = _target_size(worst.look, worst.large)
    learned = ""
    if worst.alone is not None:
        one = worst.alone
        learned = (
            f" A copy that is trained for {small} alone comes from {one.measure} "
            f"{significant(one.before):g} to {significant(one.after):g} in {one.steps} steps."
        )
    advice = f"divide the loss of {large} by about {worst.ratio:.1g}, or standardise its targets"
    if size > LARGE_TARGETS:
        advice = (
            f"standardise the targets of {large}: subtract their mean, divide by their standard "
            "deviation, and undo it for predictions"
        )
    return Finding(
        "loss_terms_unbalanced",
        "loss",
        "error",
        0.88,
        f"{large} sends {worst.ratio:,.2g} times more gradient into {worst.place} than {small} "
        f"does: {worst.place} learns for {large} alone, and the loss of {small} has come from "
        f"{worst.losses[0]:.3g} to no less than {worst.losses[1]:.3g}.{learned}",
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
    if own is None or other is None:
        return None
    if any(purpose_in_loss(term) != "error" for term in (own, other)):
        return None
    on_purpose = abs(own.factor or 0.0) < WEIGHED_DOWN * abs(other.factor or 0.0)
    ratios = []
    for _, one in measured[len(measured) // 2 :]:
        lengths = {part.name: part.length for part in one.parts}
        if one.place == last.place and little.name in lengths and much.name in lengths:
            below, above = lengths[little.name], lengths[much.name]
            ratios.append(above / below if below > 0 else math.nan)
    ratio = median(ratios)
    course = _course(case, own)
    if not math.isfinite(ratio) or course is None or not course[0] > 0:
        return None
    start, end = course
    large_numbers = not on_purpose and _target_size(look, much) > LARGE_TARGETS
    if large_numbers and ratio >= FASTER and end >= RISEN * start and _is_served(case, other):
        return _Drowned(little, much, last.place, ratio, course, look)
    if ratio < LARGER or min(ratios) < LARGER:
        return None
    far = ratio >= FAR_LARGER
    if end < (PART_LEFT if large_numbers and far else HALF) * start:
        return None
    drowned = _Drowned(little, much, last.place, ratio, course, look)
    still = end >= STILL * start
    if not little.own:  # the same weights answer both
        return drowned if still and large_numbers else None
    if on_purpose or not much.own:
        alone = trained_alone(case, own.output) if still else None
    elif still or (end >= HALF * start and worse_than_simple_model(case, 0.2)):
        return drowned
    else:
        alone = trained_alone(case, own.output) if far else None
    better = BESIDE_LARGE if large_numbers and far else BETTER_ALONE
    if alone is None or alone.after - alone.before < better:
        return None
    return replace(drowned, alone=alone)


def _course(case: Case, own: LossTerm) -> tuple[float, float] | None:
    """The value of a term at the start and at the end; None where too little of it is known."""
    losses = [value for seen in case.looks if (value := _loss(seen, own)) is not None]
    if len(losses) < 8:
        return None
    return losses[0], median(losses[-max(len(losses) // 4, 1) :])


def _is_served(case: Case, other: LossTerm) -> bool:
    course = _course(case, other)
    return course is not None and course[1] <= SERVED * course[0]


def _target_size(look: Look, part: LossPart) -> float:
    content = look.calls[part.call].content if part.call is not None else {}
    low, high = (float(content.get(f"target.{end}", 0.0)) for end in ("low", "high"))
    return max(abs(low), abs(high))


def _term(look: Look, part: LossPart) -> LossTerm | None:
    """The term of the loss that a part consists of; None of several."""
    if part.call is None:  # computed by hand
        name = part.name.removesuffix(f" of {part.own}")
        by_hand = [term for term in look.loss_terms if term.call is None]
        terms = [term for term in by_hand if term.name == name] or [
            term for term in by_hand if term.contribution == part.contribution is not None
        ]
    else:
        terms = [term for term in look.loss_terms if term.call == part.call]
    return terms[0] if len(terms) == 1 else None


def _loss(look: Look, own: LossTerm) -> float | None:
    """The value of a term in a look, without its factor."""
    for term in look.loss_terms:
        same = (term.name, term.network, term.output) == (own.name, own.network, own.output)
        if same and term.contribution is not None and term.factor:
            return term.contribution / term.factor
    return None


def purpose_in_loss(term: LossTerm) -> str:
    """What a term is there for; a squared difference from data is an error, too."""
    if term.call is None and term.target == "data" and term.name in ("Pow", "Abs"):
        return "error"
    return purpose_of(term)
