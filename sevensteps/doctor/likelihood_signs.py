"""Likelihoods that are made small, and divergences that are made large, by the terms of a loss: a
part of `loss_sign`.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.divergence_terms import divergence_terms
from sevensteps.doctor.falling_scores import score_rises
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.lowered_likelihood import (
    lowered_density,
    lowered_likelihood,
    lowered_log_prob,
    raised_divergence,
)
from sevensteps.doctor.measures import final_loss, first_loss, significant
from sevensteps.observe.look import Look

STEP = "loss"


def likelihood_sign(case: Case) -> Finding | None:
    """The first of these that is so."""
    return (
        _away_from_the_prior(case)
        or _likelihood_lowered(case)
        or _log_prob_lowered(case)
        or _divergence_raised(case)
    )


def _away_from_the_prior(case: Case) -> Finding | None:
    """The divergence of a code from the normal distribution, which the optimizer makes large."""
    if case.before_training or any(group.get("maximize") for group in case.facts.groups):
        return None
    terms = [divergence_terms(look) for look in case.looks[:8] if look.loss_terms]
    away = [one for one in terms if one is not None and one.factor < 0]
    if not away or len(away) < len(terms):
        return None
    mean, log_variance, factor = away[0].mean, away[0].log_variance, away[0].factor
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.93,
        f"The divergence of the codes from the normal distribution (mean in output {mean}, "
        f"logarithm of the variance in output {log_variance}) enters the loss with the wrong sign: "
        "the optimizer makes it large, so that the codes are driven away without end. The loss "
        f"goes from {first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                "factor of the squared mean in the loss",
                significant(factor),
                "above 0",
                "PyTorch's graph of the loss",
            )
        ],
        [
            Remedy(
                {},
                "a divergence is to become small, as an error is",
                "error - 0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()",
            )
        ],
        {"outputs": [mean, log_variance]},
        0,
    )


def _likelihood_lowered(case: Case) -> Finding | None:
    """A likelihood of one among many that is made small, look after look, and becomes so."""
    if case.before_training or case.several or score_rises(case):
        return None
    if any(group.get("maximize") for group in case.facts.groups):
        return None
    factors = [lowered_likelihood(look) for look in case.looks[:8] if look.loss_terms]
    wrong = [factor for factor in factors if factor is not None and factor > 0]
    if not wrong or len(wrong) < len(factors) or final_loss(case) > first_loss(case):
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.9,
        "A log-likelihood is made small: the loss is a score less the logarithm of the sum of the "
        "exponentials of all, without a minus, so that what was observed becomes the least likely. "
        f"The loss goes from {first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                "factor of the score in the loss",
                significant(wrong[0]),
                "below 0",
                "PyTorch's graph of the loss",
            )
        ],
        [Remedy({}, "a likelihood is to become large", "-(score - score.logsumexp(0))")],
        {},
        0,
    )


def _log_prob_lowered(case: Case) -> Finding | None:
    """The log-probability of what was observed, by a distribution of PyTorch, that is made
    small.
    """
    if case.before_training or case.several or score_rises(case):
        return None
    if any(group.get("maximize") for group in case.facts.groups):
        return None
    seen = [lowered_log_prob(look) or _density(look) for look in case.looks[:8] if look.loss_terms]
    wrong = [one for one in seen if one is not None and one[1] > 0]
    if not wrong or len(wrong) < len(seen) or not final_loss(case) < first_loss(case):
        return None
    name, factor = wrong[0]
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.92,
        f"The loss is {name} of what was observed, without a minus, and the optimizer makes it "
        "small: what was observed becomes ever less likely. "
        f"It goes from {first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                f"factor of {name} in the loss",
                significant(factor),
                "below 0",
                "PyTorch's graph of the loss",
            )
        ],
        [Remedy({}, "a likelihood is to become large", "loss = -distribution.log_prob(y).mean()")],
        {},
        0,
    )


def _density(look: Look) -> tuple[str, float] | None:
    """The density of a flow by a formula, as `lowered_log_prob` has that of a distribution."""
    factor = lowered_density(look)
    return None if factor is None else ("the logarithm of a density", -factor)


def _divergence_raised(case: Case) -> Finding | None:
    """A divergence between two distributions, by a function of PyTorch, that is made large."""
    if case.before_training or case.several or score_rises(case):
        return None
    if any(group.get("maximize") for group in case.facts.groups):
        return None
    seen = [raised_divergence(look) for look in case.looks[:8] if look.loss_terms]
    wrong = [one for one in seen if one is not None]
    if not wrong or len(wrong) < len(seen):
        return None
    name, factor = wrong[0]
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.9,
        f"{name} enters the loss with the wrong sign: the optimizer makes the divergence of two "
        "distributions that are to be alike large, which has no end. "
        f"The loss goes from {first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                f"factor of {name} in the loss",
                significant(factor),
                "above 0",
                "PyTorch's graph of the loss",
            )
        ],
        [Remedy({}, "a divergence is to become small, as an error is", "loss = error + beta * kl")],
        {},
        0,
    )
