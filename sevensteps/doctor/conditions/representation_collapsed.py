"""representation_collapsed: different inputs get one and the same code.

One point for all satisfies a loss of distances half-way, and from there no gradient leads away; a
code that is all noise costs a variational autoencoder nothing; a loss that only draws codes
together is least where all are one. Measured: the spread of the codes between samples in evaluation
mode, relative to their size and to their spread in the first look; whether anything in the loss
holds codes apart; from which layer on all samples are the same; the divergence of a posterior from
its prior, where the network gives mean and log variance. Source: Schroff et al. 2015, FaceNet,
section 3.2; Bowman et al. 2016, Generating sentences from a continuous space; Chen, He 2021,
Exploring simple Siamese representation learning.

Remedies: a lower lr, a warm-up, semi-hard in place of the hardest negatives, normalised codes;
negatives, a stopped gradient or a predictor where there are only positives; a divergence that is
weighed up slowly, and summed as the reconstruction is. Silent on: losses that are errors, whose
outputs are judged as answers.
"""

from __future__ import annotations

from sevensteps.doctor.alike_from_a_layer import Alike, alike_from_a_layer
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import layer_label, significant
from sevensteps.doctor.questions.codes import Codes, Posterior, codes
from sevensteps.observe.call import ELEMENTWISE_LOSSES, LossTerm
from sevensteps.observe.look import Look

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
# Of their spread in the first look, or of their size, where nothing holds codes apart.
SHRINKING = 0.4
STOPPED = ("dead_units", "saturated_units", "signal_vanishes")
NOTHING = 0.05  # nats of a posterior that says nothing
AVERAGES = {"Mean", "Sum", "View", "Squeeze"}
DISTANCE = {"Pow", "Abs", "Norm", "LinalgVectorNorm"}
DIFFERENCE = {"Sub", "Add", *DISTANCE}
PRODUCT = {"Mul", "Div", "Sum", "CosineSimilarity"}
MAX_WAY = 6  # operations from the outputs to a term that is their distance or likeness
STEPS = 20  # before which codes need not differ


def examine(case: Case) -> Finding | None:
    if case.before_training or case.steps < STEPS or case.recipe is not None:
        return None
    named = {finding.condition for finding in case.findings if finding.severity == "error"}
    if not named & {*STOPPED, "input_not_used"} and judge(case).is_bad:
        alike = alike_from_a_layer(case)
        if alike is not None:
            return _alike(alike)
    if case.loss_is_error and not _gives_several(case):
        return None
    answers = codes(case)
    if answers is None:
        return None
    outputs, posteriors = answers
    empty = [p for p in posteriors if p.divergence < NOTHING]
    if empty:
        return _posterior(empty[0])
    if case.loss_is_error or any(_stopped_at_start(finding) for finding in case.findings):
        return None
    collapsed = [code for code in outputs if _has_collapsed(code)]
    if collapsed:
        return _codes(collapsed[0])
    return _without_repulsion(outputs) if _only_attracts(case) else None


def _alike(alike: Alike) -> Finding:
    before, layer = layer_label(alike.before), layer_label(alike.layer)
    return Finding(
        "representation_collapsed",
        STEP,
        "error",
        0.85,
        f"{before} tells the samples apart, and what comes into {layer} is the same for all of "
        f"them, from the first step to the last: {significant(alike.left, 2):g} of their spread is "
        "left. Between the two they are averaged over each other, as by many rounds over a graph, "
        "so that no later layer can tell one from another.",
        [
            Measure(
                f"spread at {layer}, of what its weights would hand on from {before}",
                significant(alike.left),
                "about 1",
                "over the samples of the first and the last look",
            )
        ],
        [
            Remedy(
                {},
                "what tells samples apart then reaches the answer",
                "fewer rounds of averaging; add what a sample was before to what its neighbours "
                "say, h + a @ h; no mean over the batch",
            )
        ],
        {"layers": [alike.layer]},
        0,
    )


def _stopped_at_start(finding: Finding) -> bool:
    """Whether nothing passed a layer from the first step on, so that no loss has brought the codes
    together.
    """
    return finding.condition in STOPPED and finding.severity == "error" and finding.onset == 0


def _gives_several(case: Case) -> bool:
    return any(len(look.outputs) > 2 for look in case.looks[:2])


def _has_collapsed(code: Codes) -> bool:
    if code.at_first is None or code.relative > NEAR or code.spread > SHRUNK * code.at_first:
        return False
    return code.relative * code.spread <= ALIKE * SHRUNK * code.at_first


def _only_attracts(case: Case) -> bool:
    """Whether all that the loss consists of, penalties on the weights apart, is how far outputs are
    from each other, with a gradient on both sides, and is made small.
    """
    if case.several:
        return False
    looks = [look for look in case.looks[:8] if look.loss_terms]
    return bool(looks) and all(
        _of_outputs(look) and all(_attracts(look, term) for term in _of_outputs(look))
        for look in looks
    )


def _of_outputs(look: Look) -> list[LossTerm]:
    return [term for term in look.loss_terms if term.name != "penalty"]


def _attracts(look: Look, term: LossTerm) -> bool:
    """Whether a term is least where two outputs, or those of two passes, are the same."""
    factor = term.factor if term.factor is not None else 0.0
    way = [operation.name for operation in term.operations]
    if {op.name for op in term.weighting} - AVERAGES or len(way) > MAX_WAY:
        return False
    if len(term.sources) < 2 and len(term.passes) < 2:
        return False
    if term.name in ELEMENTWISE_LOSSES:
        return term.target == "output" and factor > 0
    if term.name == "cosine_embedding_loss" and term.call is not None:
        content = look.calls[term.call].content
        return content.get("target.low", 1) == content.get("target.high", 1) == 1 and factor > 0
    while way[:1] == ["Div"]:  # by their length, or by their spread
        del way[0]
    if set(way) <= DIFFERENCE and "Sub" in way and way[-1] in DISTANCE:
        return factor > 0
    return set(way) <= PRODUCT and way[-1:] in (["Mul"], ["CosineSimilarity"]) and factor < 0


def _without_repulsion(outputs: list[Codes]) -> Finding | None:
    """Codes that a loss has drawn together which is least where all of them are one."""
    drawn = [
        (code, min(code.relative, code.spread / code.at_first))
        for code in outputs
        if code.at_first and min(code.relative, code.spread / code.at_first) < SHRINKING
    ]
    if not drawn:
        return None
    code = min(drawn, key=lambda pair: pair[1])[0]
    return Finding(
        "representation_collapsed",
        STEP,
        "error",
        0.85,
        f"The loss only draws codes{_of(code.output)} together, and nothing in it holds those of "
        f"different inputs apart: one point for all inputs is its least value. Between "
        f"{code.samples} samples they spread by {significant(code.spread, 2):g}; in the first look "
        f"it was {significant(code.at_first or 0.0, 2):g}, and it goes on to shrink with the loss.",
        [
            Measure(
                "spread of the codes between samples",
                significant(code.spread),
                f"not below {significant(code.at_first or 0.0):g}, that in the first look",
                "root mean square deviation, in evaluation mode",
            )
        ],
        [
            Remedy(
                {},
                "what belongs together is only worth something where the rest is apart",
                "negatives (cross-entropy of a @ b.T / temperature against the places in the "
                "batch), a term that keeps the variance of each column (VICReg), or a stopped "
                "gradient on one side with a predictor on the other",
            )
        ],
        {"output": code.output} if code.output else {},
    )


def _codes(code: Codes) -> Finding:
    return Finding(
        "representation_collapsed",
        STEP,
        "error",
        0.9,
        f"Different inputs get one and the same code: between {code.samples} samples the "
        f"{code.dimensions} numbers{_of(code.output)} spread by {significant(code.spread, 2):g}, "
        f"{significant(100 * code.relative, 2):g} % of their size; in the first look it was "
        f"{significant(code.at_first or 0.0, 2):g}. All lie at one point, where a loss of "
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
