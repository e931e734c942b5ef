"""Whether the gradient of a policy, by which actions that were worth more become likelier, is
drowned by another term of the loss: a bonus for entropy, or the error of the values.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable

from sevensteps.doctor.case import Case
from sevensteps.doctor.falling_scores import noise_of_difference
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.loss_purpose import purpose_of
from sevensteps.doctor.measures import median, significant
from sevensteps.doctor.other_scores import reported_score
from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.part_gradients import LossPart, PartGradients

BONUS, ERROR = 4.0, 100.0  # times the policy's gradient
LEVEL_ERROR = 50.0  # times it, where the score has risen a little, and no more
BALANCED, AGAINST = 0.3, -0.3  # times it, and the cosine of the angle between both
LEAST_REWARDS = 6  # looks with a reward, where no score was told
RISES = 2.0  # standard errors of the difference
STILL_HIGH = 0.9  # of the bonus at the start
CLIPPED = ("Minimum", "Min", "Maximum", "Max")


def drowned_policy(case: Case, measured: list[tuple[Look, PartGradients]]) -> Finding | None:
    """`loss_terms_unbalanced`, where a policy's gradient is a small part of all in each of the
    later looks, and what is to become large has not.
    """
    if case.several or case.loss_is_error:
        return None
    stays = score_stays(case)
    if not stays and not _is_level(case):
        return None
    later = measured[len(measured) // 2 :]
    ratios: dict[str, list[float]] = {}
    cosines: dict[str, list[float]] = {}
    errors: set[str] = set()
    for look, one in later:
        policies = [i for i, part in enumerate(one.parts) if _is_policy(look, part)]
        if not policies or not (length := max(one.parts[i].length for i in policies)) > 0:
            return None
        policy = next(i for i in policies if one.parts[i].length == length)
        for i, part in enumerate(one.parts):
            if i not in policies:
                ratios.setdefault(part.name, []).append(part.length / length)
                cosines.setdefault(part.name, []).append(one.cosines[policy][i])
                errors |= {part.name} if _is_error(look, part) else set()
    drowning = [
        name
        for name, values in ratios.items()
        if len(values) == len(later)
        and (
            (
                _drowns(values, cosines[name], name in errors)
                and (stays or (name not in errors and _stays_high(measured, name)))
            )
            or (not stays and name in errors and _holds_up(measured, name, values))
        )
    ]
    if not drowning:
        return None
    name = max(drowning, key=lambda one: median(ratios[one]))
    return _finding(name, name in errors, median(ratios[name]), median(cosines[name]), len(later))


def _drowns(ratios: list[float], cosines: list[float], error: bool) -> bool:
    """Whether a term is far larger than the policy's; or, a bonus, in balance with it, so that what
    actions were worth goes no further.
    """
    if min(ratios) >= (ERROR if error else BONUS):
        return True
    return not error and min(ratios) >= BALANCED and median(cosines) <= AGAINST


def _stays_high(measured: list[tuple[Look, PartGradients]], name: str) -> bool:
    """Whether a bonus is as high at the end as it was at the start."""
    added = [part.contribution for _, one in measured for part in one.parts if part.name == name]
    known = [value for value in added if value is not None]
    return len(known) >= 2 and min(known[0], known[-1]) < 0 and known[-1] <= STILL_HIGH * known[0]


def _holds_up(measured: list[tuple[Look, PartGradients]], name: str, ratios: list[float]) -> bool:
    """Whether a squared error that is far larger than the gradient of a policy is no smaller than
    the best answer for all has at the very most, at the end: it has held up both.
    """
    if min(ratios) < LEVEL_ERROR:
        return False
    last = measured[-3:]
    return all(
        any(part.name == name and _beyond_constant(look, part) for part in one.parts)
        for look, one in last
    )


def _beyond_constant(look: Look, part: LossPart) -> bool:
    """Whether a mean squared error is above a quarter of the squared range of its targets, which no
    variance within that range exceeds (Popoviciu's inequality).
    """
    terms = [term for term in look.loss_terms if term.call == part.call is not None]
    if len(terms) != 1 or terms[0].name != "mse_loss" or not terms[0].factor:
        return False
    content = look.calls[terms[0].call or 0].content
    low, high = content.get("target.low"), content.get("target.high")
    if low is None or high is None or terms[0].contribution is None or not high > low:
        return False
    return bool(terms[0].contribution / terms[0].factor > (high - low) ** 2 / 4)


def _finding(name: str, error: bool, ratio: float, cosine: float, looks: int) -> Finding:
    what = (
        "the values are learned, and the policy is not"
        if error
        else "the policy is kept as it began, for the entropy of its actions and not for what they "
        "are worth"
    )
    return Finding(
        "loss_terms_unbalanced",
        "loss",
        "error",
        0.85,
        f"{name} sends {ratio:,.2g} times the gradient of the term by which actions that were "
        f"worth more become likelier{', and against it' if cosine < AGAINST else ''}: {what}. What "
        "is to become large does not rise, or no more.",
        [
            Measure(
                f"gradient of {name}, times that of the policy",
                significant(ratio, 2),
                f"below {ERROR if error else BALANCED:g}",
                f"{looks} full looks",
            )
        ],
        [
            Remedy(
                {},
                "the policy then follows what its actions were worth",
                f"weigh {name} by about {significant(0.1 / ratio, 1)} of what it is"
                + ("; standardise the returns" if error else "; 0.01 is usual for advantages of 1"),
            )
        ],
        {"terms": [name]},
        0,
    )


def _terms(look: Look, part: LossPart) -> Iterable[LossTerm]:
    """The terms of the loss that a part may consist of: those that its name begins with; of one
    that `parts=` names, that of its call, or what adds the same number.
    """
    named = [
        t for t in look.loss_terms if part.name == t.name or part.name.startswith(f"{t.name} ")
    ]
    return named or [
        term
        for term in look.loss_terms
        if (part.call is not None and term.call == part.call)
        or (part.contribution is not None and term.contribution == part.contribution)
    ]


def _is_policy(look: Look, part: LossPart) -> bool:
    return any(
        term.name.endswith(".log_prob")
        or any(op.name in ("SignedMul", "SignedDiv") for op in term.weighting)
        or (term.name in CLIPPED and term.call is None)
        for term in _terms(look, part)
    )


def _is_error(look: Look, part: LossPart) -> bool:
    return any(
        purpose_of(term) == "error" or term.call is not None or term.name in ("Pow", "Abs")
        for term in _terms(look, part)
    )


def _is_level(case: Case) -> bool:
    """Whether the score that the loop told rises no more after its first quarter."""
    scores = [score for _, score in case.observation.scores]
    quarter = len(scores) // 4
    if quarter < LEAST_REWARDS:
        return False
    early, late = scores[quarter : 2 * quarter], scores[-quarter:]
    noise = noise_of_difference(early, late)
    return statistics.fmean(late) - statistics.fmean(early) <= RISES * noise


def score_stays(case: Case) -> bool:
    """Whether the score that the loop told, or what it calls a reward, has not risen."""
    reported = reported_score(case)
    if reported is not None:
        return not reported.better
    rewards = [look.reward for look in case.looks if look.reward is not None]
    third = len(rewards) // 3
    if len(rewards) < LEAST_REWARDS or case.observation.scores:
        return False
    first, last = rewards[:third], rewards[-third:]
    noise = statistics.stdev(rewards) * math.sqrt(2 / third)
    return statistics.fmean(last) - statistics.fmean(first) <= RISES * noise
