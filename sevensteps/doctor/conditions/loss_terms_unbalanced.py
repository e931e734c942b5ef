"""loss_terms_unbalanced: the gradient of one term of the loss drowns that of another.

Of two heads on one body, the body then follows one alone, and the other has only what that leaves
to it; or a head has the weight 0; or a penalty or divergence is all that there is to make small; or
what is to hold at a start or a border never does. Measured: in full looks, the length of each
term's gradient at the place where their ways meet, and its weight; whether the loss of the drowned
term has moved; of a policy, whether its bonus for entropy is worth more than actions differ by; and
what part of the fall of the loss was the error's. Source: Chen et al. 2018, GradNorm; Wang, Teng,
Perdikaris 2021, Understanding and mitigating gradient flow pathologies.

Remedies: standardise the targets of the larger term, or weigh the terms so that their gradients are
alike. Silent on: terms of the same forward pass without a head of their own; penalties and
divergences, unless the error stays where it was and a simple model does better, or it is no better
than one answer for all; losses that are no error, but for a policy whose score or reward does not
rise; a small term that was weighed
down on purpose, unless its head alone would learn, or that learns all the same.
"""

from __future__ import annotations

import math
from itertools import permutations

from sevensteps.doctor.case import Case
from sevensteps.doctor.drowned_head import LARGER, STILL, drowned_head, purpose_in_loss
from sevensteps.doctor.drowned_policy import drowned_policy
from sevensteps.doctor.entropy_bonus import entropy_bonus
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.loss_purpose import purpose_of
from sevensteps.doctor.measures import median, significant
from sevensteps.doctor.shrunk_weights import shrunk_weight
from sevensteps.doctor.simple_models import simple_model_score
from sevensteps.observe.look import Look
from sevensteps.observe.part_gradients import PartGradients

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
LITTLE_LESS = 0.75  # of the error at the start, above which it stays beside a rest that falls far
LEFT, MUCH_LEFT = 0.05, 0.25  # of it, that is left of a term which falls no longer, or slowly
HALF = 0.5  # of it, above which it has not learned where a simple model does far better
BETTER = 0.2  # of the score, of a simple model
NO_BETTER = 0.9  # of the error of one answer for all
SERVED = 0.5  # of what it was at the start, that a term is below which a loss is trained for
LEAST_LOOKS = 4  # that measured the gradients
LAST_LOOKS = 2  # at least, of which the end is the median
LEAST_STEPS = 50  # before which a term may not have moved yet
OUTGROWN = 3.0  # times the error, at the start, of what the loss has beside it
SMALL_SHARE = 0.05  # of the fall of the loss, that is the error's
PURPOSES = ("error", "regularizer", "other", "unknown")


def examine(case: Case) -> Finding | None:
    if case.steps < LEAST_STEPS or case.diverged_at is not None:
        return None
    measured = [(look, one) for look in case.looks for one in look.part_gradients[:1]]
    if len(measured) >= LEAST_LOOKS:
        finding = (
            drowned_head(case, measured)
            or _without_weight(measured)
            or _drowned_pass(case, [one for _, one in measured])
            or drowned_policy(case, measured)
            or entropy_bonus(case)
        )
        if finding is not None:
            return finding
    return shrunk_weight(case) or _outgrown(case)


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


def _drowned_pass(case: Case, measured: list[PartGradients]) -> Finding | None:
    """A term of a forward pass of its own, as of a start or of measured points, that stays where it
    was while one of another pass is served.
    """
    if case.skill is not None and case.skill > HALF:
        return None
    last = measured[-1]
    pairs = []
    for small, large in permutations(range(len(last.parts)), 2):
        little, much = last.parts[small], last.parts[large]
        if not little.passes or not much.passes or {*little.passes} & {*much.passes}:
            continue
        ratio = _ratio(measured, little.name, much.name, last.place)
        moved, served = (_course(measured, part.name) for part in (little, much))
        if ratio < LARGER or moved is None or served is None or served[-1] > SERVED * served[0]:
            continue
        stuck = moved[-1] >= max(LEFT * moved[0], STILL * moved[1])
        if stuck or moved[-1] >= MUCH_LEFT * moved[0]:
            pairs.append((moved, served, ratio, little.name, much.name))
    if not pairs:
        return None
    moved, served, ratio, left, trained = max(pairs)
    return Finding(
        "loss_terms_unbalanced",
        STEP,
        "warning",
        0.75,
        f"{trained} sends {ratio:,.2g} times more gradient than {left}, which is computed from "
        "inputs of its own, as of a start, a border or measured points: what that adds to the loss "
        f"has come from {significant(moved[0]):g} to no less than {significant(moved[-1]):g}, "
        f"that of the other from {significant(served[0]):g} to {significant(served[-1]):g}. What "
        "is right everywhere but there may be the solution of another problem, such as 0.",
        [
            Measure(
                f"gradient of {trained}, times that of {left}",
                significant(ratio, 2),
                f"below {LARGER:g}",
                f"{len(measured)} full looks",
            )
        ],
        [
            Remedy(
                {},
                "both have to be small at once",
                f"divide the loss of {trained} by about {ratio:.1g}, or multiply that of {left}",
            )
        ],
        {"layers": [last.place] if last.place else [], "terms": [trained, left]},
        0,
    )


def _ratio(measured: list[PartGradients], little: str, much: str, place: str) -> float:
    """The median ratio of the gradients of two parts in the last half of the looks; 0 where it is
    not known.
    """
    ratios = []
    for one in measured[len(measured) // 2 :]:
        lengths = {part.name: part.length for part in one.parts}
        if one.place != place or little not in lengths or much not in lengths:
            return 0.0
        ratios.append(lengths[much] / lengths[little] if lengths[little] > 0 else 0.0)
    return median(ratios)


def _course(measured: list[PartGradients], name: str) -> tuple[float, float, float] | None:
    """What a part adds to the loss at the start, after the middle of the looks and at the end; None
    where that is not known.
    """
    added = [part.contribution for one in measured for part in one.parts if part.name == name]
    values = [value for value in added if value is not None]
    if len(values) < max(len(measured), LEAST_LOOKS) or not values[0] > 0:
        return None
    late = values[3 * len(values) // 5]
    return values[0], late, median(values[-max(len(values) // 4, 1) :])


def _outgrown(case: Case) -> Finding | None:
    """An error that stays where it was while nearly all the loss, and all its fall, is that of the
    rest, in a network that does not find even what a simple model finds, or no more than one answer
    for all.
    """
    shares = [s for look in case.looks if (s := _error_and_rest(look)) is not None]
    if len(shares) < LEAST_LOOKS + LAST_LOOKS:
        return None
    (error, rest), ends = shares[0], shares[-max(len(shares) // 4, LAST_LOOKS) :]
    error_end, rest_end = (median([pair[i] for pair in ends]) for i in (0, 1))
    if not error > 0 or rest < OUTGROWN * error:
        return None
    ignorant = _ignorant_error(case) if simple_model_score(case) is None else None
    as_ignorant = ignorant is not None and error_end >= NO_BETTER * ignorant
    stays = error_end >= LITTLE_LESS * error and error - error_end <= SMALL_SHARE * (
        rest - rest_end
    )
    if not as_ignorant and not (stays and _simple_is_better(case)):
        return None
    return Finding(
        "loss_terms_unbalanced",
        STEP,
        "error",
        0.85,
        f"The loss has come down by {rest - rest_end:.3g} in what it has beside the error, which "
        f"began {rest / error:,.2g} times as large; the error has come from {error:.3g} to no more "
        f"than {error_end:.3g}. The network was trained to keep the rest small, and "
        + (
            f"one answer for all has an error of {ignorant:.3g}."
            if as_ignorant
            else "even a simple model does better."
        ),
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
    by_purpose = {
        kind: [t for t in look.loss_terms if purpose_in_loss(t) == kind] for kind in PURPOSES
    }
    if by_purpose["other"] or not by_purpose["error"] or len(look.loss_terms) < 2:
        return None
    if not by_purpose["regularizer"] and not by_purpose["unknown"]:
        return None
    contributions = [term.contribution for term in by_purpose["error"]]
    if any(c is None for c in contributions) or len({t.total for t in look.loss_terms}) > 1:
        return None
    error = math.fsum(c for c in contributions if c is not None)
    return error, look.loss - error


def _simple_is_better(case: Case) -> bool:
    """Whether a simple model does better, however little is left of a loss that is mostly the
    rest.
    """
    score, simple = case.scores.get("train"), simple_model_score(case)
    return score is not None and simple is not None and simple - score >= BETTER


def _ignorant_error(case: Case) -> float | None:
    """The mean squared error of the best answer for all inputs, as it stands in the loss; None
    where the loss is another one.
    """
    terms = [term for look in case.looks[:1] for term in look.loss_terms]
    errors = [term for term in terms if purpose_in_loss(term) == "error"]
    target = case.target
    if len(errors) != 1 or target is None or not target.is_floating_point():
        return None
    squared = errors[0].name == "mse_loss" or errors[0].name == "Pow"
    weighting = {operation.name for operation in errors[0].weighting}
    if not squared or weighting - {"Mean"} or errors[0].factor is None:
        return None
    return errors[0].factor * float((target - target.mean(0)).double().square().mean())
