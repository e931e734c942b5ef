"""loss_terms_unbalanced: the gradient of one term of the loss drowns that of another.

Of two heads on one body, the body then follows one alone, and the other has only what that leaves
to it; or a head has the weight 0; or a penalty is all that there is to make small. Measured: in
full looks, the length of each term's gradient at the place where their ways meet, and its weight;
whether the loss of the drowned term has moved; and what part of the fall of the loss was the
error's. Source: Chen et al. 2018, GradNorm.

Remedies: standardise the targets of the larger term, or weigh the terms so that their gradients are
alike. Silent on: divergences and terms without a head of their own; penalties, unless the error
stays where it was and a simple model does better; losses that are no error, as of a policy; a small
term that was weighed down on purpose, or that learns all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.loss_purpose import purpose_of
from sevensteps.doctor.measures import median, significant
from sevensteps.doctor.simple_models import worse_than_simple_model
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
OUTGROWN = 3.0  # times the error, at the start, of what the loss has beside it
SMALL_SHARE = 0.05  # of the fall of the loss, that is the error's
PURPOSES = ("error", "regularizer", "other", "unknown")
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
    if case.steps < LEAST_STEPS or case.diverged_at is not None:
        return None
    measured = [(look, one) for look in case.looks for one in look.part_gradients[:1]]
    if len(measured) >= LEAST_LOOKS:
        finding = _drowned_head(case, measured) or _without_weight(measured)
        if finding is not None:
            return finding
    return _outgrown(case)


def _drowned_head(case: Case, measured: list[tuple[Look, PartGradients]]) -> Finding | None:
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


def _without_weight(measured: list[tuple[Look, PartGradients]]) -> Finding | None:
    """An error with the weight 0 in all looks, whose head nothing else trains."""
    weightless: list[set[tuple[str, str]]] = []
    for look, one in measured:
        terms = [t for t in look.loss_terms if t.factor == 0.0 and purpose_of(t) == "error"]
        calls = {term.call for term in terms if term.call is not None}
        weightless.append(
            {
                (part.own, part.name)
                for part in one.parts
                if part.own and part.call in calls and part.length == part.contribution == 0.0
            }
        )
    heads = sorted(set.intersection(*weightless))
    if not heads:
        return None
    own, name = heads[0]
    return Finding(
        "loss_terms_unbalanced",
        STEP,
        "error",
        0.85,
        f"{name} has the weight 0 in every look: no gradient ever reaches {own}, which nothing "
        "else trains, and its answers are as they were drawn.",
        [Measure(f"weight of {name}", 0, "above 0", f"{len(measured)} full looks")],
        [
            Remedy(
                {},
                f"{own} has a loss of its own, and only that can train it",
                "print the weight: 1 // 2 and int(0.5) are 0; leave the head out if it is not to "
                "be trained",
            )
        ],
        {"layers": [own], "terms": [name]},
        0,
    )


def _outgrown(case: Case) -> Finding | None:
    """An error that stays where it was while nearly all the loss, and all its fall, is that of the
    rest, in a network that does not find even what a simple model finds.
    """
    shares = [s for look in case.looks if (s := _error_and_rest(look)) is not None]
    if len(shares) < 2 * LEAST_LOOKS:
        return None
    quarter = len(shares) // 4
    (error, rest), ends = shares[0], shares[-quarter:]
    error_end, rest_end = (median([pair[i] for pair in ends]) for i in (0, 1))
    if not error > 0 or rest < OUTGROWN * error or error_end < STILL * error:
        return None
    if error - error_end > SMALL_SHARE * (rest - rest_end) or not worse_than_simple_model(
        case, 0.2
    ):
        return None
    return Finding(
        "loss_terms_unbalanced",
        STEP,
        "error",
        0.85,
        f"The loss has come down by {rest - rest_end:.3g} in what it has beside the error, which "
        f"began {rest / error:,.2g} times as large; the error has come from {error:.3g} to no more "
        f"than {error_end:.3g}. The network was trained to keep the penalty small, and even a "
        "simple model does better.",
        [
            Measure(
                "error at the end",
                significant(error_end),
                f"well below {error:.3g}, that at the start",
                f"{len(shares)} looks",
            ),
            Measure(
                "the rest of the loss at the start, times the error",
                significant(rest / error, 2),
                f"below {OUTGROWN:g}",
                "loss less the error's term",
            ),
        ],
        [
            Remedy(
                {},
                "the error then has a say in where the weights go",
                f"weigh the penalty by about {significant(0.01 * error / rest, 1)} of what it is; "
                "a mean in place of a sum",
            )
        ],
        {},
        0,
    )


def _error_and_rest(look: Look) -> tuple[float, float] | None:
    """What the errors add to the loss, and what other terms do; None where there are no others, or
    it is not known.
    """
    by_purpose = {kind: [t for t in look.loss_terms if purpose_of(t) == kind] for kind in PURPOSES}
    if by_purpose["other"] or not by_purpose["error"] or len(look.loss_terms) < 2:
        return None
    if not by_purpose["regularizer"]:
        return None
    contributions = [term.contribution for term in by_purpose["error"]]
    if any(c is None for c in contributions) or len({t.total for t in look.loss_terms}) > 1:
        return None
    error = math.fsum(c for c in contributions if c is not None)
    return error, look.loss - error


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
