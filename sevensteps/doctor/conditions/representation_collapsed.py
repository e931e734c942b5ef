"""representation_collapsed: different inputs get one and the same code.

One point for all satisfies a loss of distances half-way, and from there no gradient leads away; a
code that is all noise costs a variational autoencoder nothing. Measured: the spread of the codes
between samples in evaluation mode, relative to their size and to their spread in the first look;
the divergence of a posterior from its prior, where the network gives mean and log variance. Source:
Schroff et al. 2015, FaceNet, section 3.2; Bowman et al. 2016, Generating sentences from a
continuous space.

Remedies: a lower lr, a warm-up, semi-hard in place of the hardest negatives, normalised codes;
negatives, a stopped gradient or a predictor where there are only positives; a divergence that is
weighed up slowly, and summed as the reconstruction is. Silent on: losses that are errors, whose
outputs are judged as answers.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import significant
from sevensteps.doctor.questions.codes import Codes, Posterior, codes

STEP = "predict"
EXPLAINS = (
    "dead_units",
    "saturated_units",
    "signal_vanishes",
    "vanishing_gradient",
    "symmetric_units",
    "learning_rate_too_low",
    "stopped_early",
    "underfitting",
    "ill_conditioned",
    "input_not_used",
    "loss_terms_unbalanced",
)
ALIKE = 0.03  # of their size, of the spread of the codes
SHRUNK = 0.05  # of their spread in the first look
NEAR = 0.1  # of their size, where so much less is left of their spread
NOTHING = 0.05  # nats of a posterior that says nothing
STEPS = 20  # before which codes need not differ


def examine(case: Case) -> Finding | None:
    if case.before_training or case.steps < STEPS or case.recipe is not None:
        return None
    if case.loss_is_error and not _gives_several(case):
        return None
    answers = codes(case)
    if answers is None:
        return None
    outputs, posteriors = answers
    empty = [p for p in posteriors if p.divergence < NOTHING]
    if empty:
        return _posterior(empty[0])
    if case.loss_is_error:
        return None
    collapsed = [code for code in outputs if _has_collapsed(code)]
    return _codes(collapsed[0]) if collapsed else None


def _gives_several(case: Case) -> bool:
    return any(len(look.outputs) > 2 for look in case.looks[:2])


def _has_collapsed(code: Codes) -> bool:
    if code.at_first is None or code.relative > NEAR or code.spread > SHRUNK * code.at_first:
        return False
    return code.relative * code.spread <= ALIKE * SHRUNK * code.at_first


def _codes(code: Codes) -> Finding:
    return Finding(
        "representation_collapsed",
        STEP,
        "error",
        0.9,
        f"Different inputs get one and the same code: between {code.samples} samples the "
        f"{code.dimensions} numbers{_of(code.output)} spread by {significant(code.spread, 2):g}, "
        f"{significant(100 * code.relative, 2):g} % of their size; in the first look it was "
        f"{significant(code.at_first or 0.0, 2):g}. All are in one point, where a loss of "
        "distances between them has no gradient that leads away.",
        [
            Measure(
                "spread of the codes between samples",
                significant(code.spread),
                f"above {significant(SHRUNK * (code.at_first or 0.0)):g}",
                "root mean square deviation, in evaluation mode; the first look",
            )
        ],
        [
            Remedy(
                {},
                "codes that are thrown together by the first steps do not come apart again",
                "a tenth of the lr, with a warm-up; F.normalize(code); semi-hard or all triplets "
                "for the first epochs in place of the hardest; negatives or a stopped gradient "
                "where there are none",
            )
        ],
        {"output": code.output} if code.output else {},
    )


def _posterior(posterior: Posterior) -> Finding:
    return Finding(
        "representation_collapsed",
        STEP,
        "warning",
        0.85,
        f"The code of {posterior.dimensions} numbers says nothing of the input: its distribution "
        f"is that of the prior for every sample, {significant(posterior.divergence, 2):g} nats "
        "from it. The divergence outweighs the reconstruction, which then is the same for all.",
        [
            Measure(
                "divergence of the code's distribution from the prior, in nats",
                significant(posterior.divergence),
                f"above {NOTHING:g}",
                f"{posterior.samples} samples, in evaluation mode",
            )
        ],
        [
            Remedy(
                {},
                "a code that is used has to cost something",
                "sum the reconstruction over the numbers of a sample as the divergence is, or "
                "weigh the divergence with beta < 1 that grows over the first epochs",
            )
        ],
        {"outputs": [posterior.mean, posterior.log_variance]},
    )


def _of(output: str) -> str:
    return f" of output {output}" if output else ""
