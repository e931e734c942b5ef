"""Whether a bonus for the entropy of a policy is worth more than the actions themselves."""

from __future__ import annotations

import math
import statistics

from sevensteps.doctor.case import Case
from sevensteps.doctor.drowned_policy import score_stays
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import significant
from sevensteps.observe.call import LossTerm
from sevensteps.observe.look import Look

UNIFORM = 0.93  # of the largest entropy, ln K, that a policy has which prefers nothing
LEAST_LOOKS = 8  # with both terms
LAST = 3  # looks, at the end
OWN = ("LogSoftmax", "Softmax")  # what an entropy that is written by hand is made of


def entropy_bonus(case: Case) -> Finding | None:
    """`loss_terms_unbalanced`, where a policy of K actions has nearly the largest entropy at the
    end, what it gains has not risen, and the bonus for its entropy weighs more than the actions
    differ in worth.

    The best policy has probabilities in proportion to exp(worth / weight of the bonus): where the
    weight is far above the worths, all are alike, whatever is learned. The worths' standard
    deviation is read off the noise of the policy's term, ln K · σ / √B for each batch of B actions.
    Source: Williams, Peng 1991; Haarnoja et al. 2018, Soft actor-critic.
    """
    rows = [row for look in case.looks if (row := _terms(look)) is not None]
    if case.several or len(rows) < LEAST_LOOKS or not score_stays(case):
        return None
    if min(share for share, _, _, _ in rows[-LAST:]) < UNIFORM:
        return None
    weight = rows[-1][1]
    worth = statistics.stdev([gain for _, _, gain, _ in rows]) * rows[-1][3]
    if not weight > worth > 0:
        return None
    return Finding(
        "loss_terms_unbalanced",
        "loss",
        "error",
        0.85,
        f"The bonus for entropy weighs {weight:g}, and what the actions are worth varies by about "
        f"{significant(worth, 2):g}: the best policy for their sum takes every action about as "
        f"often, and that is what is learned. Its entropy is "
        f"{min(share for share, _, _, _ in rows[-LAST:]):.0%} of the largest at the end, and what "
        "is to become large does not rise.",
        [
            Measure(
                "weight of the entropy, times the spread of what actions are worth",
                significant(weight / worth, 2),
                "below 0.1",
                "the terms of the loss",
            )
        ],
        [
            Remedy(
                {},
                "the policy then follows what its actions were worth",
                f"weigh the entropy by about {significant(0.01 * worth, 1):g}",
            )
        ],
        {"terms": ["entropy"]},
        0,
    )


def _terms(look: Look) -> tuple[float, float, float, float] | None:
    """(Entropy as a share of the largest, weight of the bonus, what the policy's term adds, √B / ln
    K); None of a look without both terms.
    """
    kinds = look.output.shape[-1] if look.output is not None and look.output.ndim > 1 else 0
    bonus = [term for term in look.loss_terms if _is_entropy(term)]
    policy = [term for term in look.loss_terms if term not in bonus and _is_policy(term)]
    if kinds < 2 or len(policy) != 1 or len(bonus) != 1 or look.batch < 2:
        return None
    gain, factor, added = policy[0].contribution, bonus[0].factor, bonus[0].contribution
    if gain is None or added is None or not factor or factor > 0:
        return None
    most = math.log(kinds)
    return added / factor / most, -factor, gain, math.sqrt(look.batch) / most


def _is_policy(term: LossTerm) -> bool:
    signed = any(operation.name in ("SignedMul", "SignedDiv") for operation in term.weighting)
    return term.name.endswith(".log_prob") or signed


def _is_entropy(term: LossTerm) -> bool:
    names = [operation.name for operation in term.operations]
    return term.name == "Categorical.entropy" or (
        term.name in ("Neg", "Sum") and "Mul" in names and all(name in names for name in OWN)
    )
