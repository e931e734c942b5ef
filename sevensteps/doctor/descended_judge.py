"""Whether a network is led down what another one, which learns how good its answers are, says."""

from __future__ import annotations

import math
import statistics

from sevensteps.doctor.case import Case
from sevensteps.doctor.falling_scores import falling_parts, lost_parts
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.loss_purpose import purpose_of
from sevensteps.doctor.measures import significant
from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Look

MIN_SCORES = 40  # reported by the loop; fewer show no trend
MIN_LOOKS = 4
PLAIN = {"Mean", "Sum", "Neg", "Div", "Mul", "View", "Squeeze", "Select"}


def descended_judge(case: Case) -> Finding | None:
    """`loss_sign` of one of several networks, a critic that learns numbers by an error: where its
    bare answer is made small in a loss of its own, as an actor's is, and the score that the loop
    reports falls far from where it began. A critic of costs is made small by right: then no score
    falls.
    """
    if not case.several or case.before_training:
        return None
    factors = [factor for look in case.looks if (factor := _judged(look)) is not None]
    if len(factors) < MIN_LOOKS or min(factors) <= 0:
        return None
    scores = [score for _, score in case.observation.scores if math.isfinite(score)]
    if len(scores) < MIN_SCORES:
        return None
    parts = falling_parts(scores, suspected=True) or lost_parts(scores)
    if parts is None:
        return None
    first, end = map(statistics.fmean, parts)
    return Finding(
        "loss_sign",
        "loss",
        "error",
        0.88,
        "This network learns how good something is, and another one's loss is its answer without a "
        "minus: the optimizer makes small what is to become large. The reported score falls from "
        f"{first:.3g} to {end:.3g}.",
        [
            Measure("sign of its answer in the loss", 1, -1, f"{len(factors)} looks"),
            Measure("score at the end", significant(end), f"above {first:.3g}", "reported scores"),
        ],
        [
            Remedy(
                {},
                "the optimizer makes the loss small, and the value is to become large",
                "put a minus before it: actor_loss = -critic(state, actor(state)).mean()",
            )
        ],
        {},
        0,
    )


def _judged(look: Look) -> float | None:
    """What the bare answer of this network is multiplied by in a loss of which it is all; None
    where there is none, or the network learns by no error.
    """
    learns = any(_is_error(term) for term in look.loss_terms)
    bare = [term for term in look.loss_terms if term.name == "output"]
    if not learns or len(bare) != 1 or bare[0].target is not None:
        return None
    names = {operation.name for operation in (*bare[0].operations, *bare[0].weighting)}
    alone = all(term.total != bare[0].total for term in look.loss_terms if term is not bare[0])
    return bare[0].factor if alone and names <= PLAIN else None


def _is_error(term: LossTerm) -> bool:
    return purpose_of(term) == "error" or term.name in (
        "mse_loss",
        "smooth_l1_loss",
        "huber_loss",
        "Pow",
    )
