"""loss_sign: the loss falls when the right output falls, so that the network learns to be wrong.

Measured: the gradient. Where a loss measures an error, the gradient at the output of the true class
is never positive, and for a number it points away from the target. Closed form: for cross-entropy p
- one-hot. Of a loss of any other make, as of overlap: whether in every look it pulls down what is
to be yes and up what is to be no, and the answers come to nothing. Of a loss that is no error, as
of a policy: whether it weighs log-probabilities by what the loop calls rewards, or by minus those;
the score that the loop reports, or what it calls a reward, which falls from the start on while the
optimizer makes the loss small, and by more than a random walk with its steps does. Of
codes of pairs: how far the inputs lie apart of those that the loss draws together, against those
that it pushes apart, as a whole and by column. Of a judge and what it judges: the signs of both
gradients at its answers for what the other makes. Of a code that is drawn: the sign with which μ²,
σ² and log σ² enter the loss. Source: Goodfellow et al. 2014, Generative
adversarial nets.

Remedies: turn the sign; a log-likelihood needs a minus. Leave out `maximize=True` in the optimizer.
Silent on: outputs of which the least is the answer; a negative loss that is a density; a negated
loss that the optimizer maximizes; numbers that run against their targets under a loss that stays
positive, as the second of a ranked pair; scores that wander. A remark where a policy's loss is one
of costs or of rewards, and no score says which.
"""

from __future__ import annotations

from sevensteps.doctor.answer_signs import driven_away, led_away, turned_round
from sevensteps.doctor.case import Case
from sevensteps.doctor.descended_judge import descended_judge
from sevensteps.doctor.distances import are_distances
from sevensteps.doctor.failures import runs_away
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.likelihood_signs import likelihood_sign
from sevensteps.doctor.loss_purpose import DATA, ERROR_LOSSES, OTHER_LOSSES
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    is_maximized,
    significant,
    step_with_rate,
)
from sevensteps.doctor.pair_signs import pair_sign
from sevensteps.doctor.probability_inputs import misread
from sevensteps.doctor.score_signs import against_score
from sevensteps.observe.look import Look

STEP = "loss"
EXPLAINS = (
    "exploding_gradient",
    "not_finite",
    "learning_rate_too_high",
    "underfitting",
    "train_valid_mismatch",
    "labels_unrelated",
    "dead_units",
    "saturated_units",
    "stopped_early",
    "output_loss_mismatch",
    "overfitting",
    "optimizer_setting",
    "class_imbalance",
    "loss_scale",
    "signal_explodes",
    "too_small",
    "symmetric_units",
    "representation_collapsed",
)
MOST = 0.9  # share of the samples
LEARNED = 0.5  # of the first loss, that the error of turned outputs ends below
OF_SCORES = ("cross_entropy", "binary_cross_entropy_with_logits")


def examine(case: Case) -> Finding | None:
    turned = _least_is_answer(case)
    return (
        likelihood_sign(case)
        or (None if turned else _wrong_way(case) or led_away(case) or driven_away(case))
        or turned_round(case)
        or _unbounded(case)
        or pair_sign(case)
        or against_score(case)
        or descended_judge(case)
    )


def _unbounded(case: Case) -> Finding | None:
    """A loss that falls below every bound, the faster the longer: an error has none, but one with a
    minus has.
    """
    if is_maximized(case) or (sign := runs_away(case)) is None or misread(case) is not None:
        return None
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.6,
        f"{sign.sentence} What measures an error is never below 0, and a likelihood seldom falls "
        "so: most likely something that should be small is subtracted.",
        [sign.measure],
        [
            Remedy(
                {},
                "what can be made as small as one likes is no error",
                "print each term of the loss; change the sign of the one that runs away",
            )
        ],
        {},
        0,
    )


def _least_is_answer(case: Case) -> bool:
    """Whether outputs are turned before the function of the error, which becomes small: the least
    of them is the answer, as of times or of distances.
    """
    falls = 0 <= final_loss(case) < LEARNED * first_loss(case)
    if case.task == "binary" and falls and are_distances(case.looks):
        return not is_maximized(case)
    paths = [
        (term.name, [operation.name for operation in term.operations])
        for look in case.looks[:8]
        for term in look.loss_terms
        if term.name in ERROR_LOSSES and term.target in DATA
    ]
    turned = bool(paths) and all(sum(map(path.count, ("Neg", "Rsub"))) % 2 for _, path in paths)
    if not turned or is_maximized(case):
        return False
    negated = any((term.factor or 0.0) < 0 for look in case.looks[:8] for term in look.loss_terms)
    if all(name in OF_SCORES for name, _ in paths) and not negated:
        return True  # a softmax of the outputs with a minus learns as one of the outputs
    return falls


def _wrong_way(case: Case) -> Finding | None:
    wrong = _wrong(case)
    maximized = is_maximized(case)
    if wrong is None and (not maximized or "reward_signs" in case.observation.notes):
        return None
    if (wrong is not None and wrong > MOST) == maximized:
        return None
    share = 1.0 if wrong is None else wrong
    what = (
        "The optimizer maximizes a loss that measures an error"
        if maximized
        else f"For {share:.0%} of the samples the loss falls when the right output falls"
    )
    return Finding(
        "loss_sign",
        STEP,
        "error",
        0.95,
        f"{what}: each step makes the network more wrong. The loss goes from "
        f"{first_loss(case):.3g} to {final_loss(case):.3g}.",
        [
            Measure(
                "samples whose gradient points the wrong way",
                significant(share),
                0,
                "dL/d(output) at the true class, or (output - target)·gradient",
            )
        ],
        [
            Remedy(
                {"step": step_with_rate(case, case.lr)} if case.lr else {},
                "an error is to become small",
                "leave out maximize=True",
            )
            if maximized
            else Remedy(
                {"loss": "auto()"},
                "a loss that is small for right answers",
                "change the sign of the loss: a log-likelihood needs a minus",
            )
        ],
        {},
        0,
    )


def _wrong(case: Case) -> float | None:
    """The share of samples whose gradient points away from the right answer; None where it cannot
    be told.
    """
    for look in case.looks[:3]:
        output, target, gradient = look.output, look.target, look.output_gradient
        if (
            output is None
            or target is None
            or gradient is None
            or len(target) != len(output)
            or not bool(gradient.isfinite().all())
        ):
            continue
        if (
            not target.is_floating_point()
            and target.ndim == 1
            and output.ndim == 2
            and output.shape[1] > 1
            and int(target.min()) >= 0
            and int(target.max()) < output.shape[1]
        ):
            # not only pushed down, as by a penalty of all or where another class is the target, but
            # more than any other
            at = gradient.gather(1, target.long()[:, None])[:, 0]
            wrong = (at > 0) & (at >= gradient.amax(1))
            return float(wrong.double().mean()) if bool(at.any()) else None
        if (share := _wrong_of_two(case, look)) is not None:
            return share
        if (
            target.shape == output.shape
            and target.is_floating_point()
            and case.identified_loss is not None
        ):
            return 1.0 if case.identified_loss.scale < 0 else 0.0
    return 1.0 if _is_negated(case) else None


def _wrong_of_two(case: Case, look: Look) -> float | None:
    """Of a yes or no by one number each, and an unknown loss that ends below 0: the share of
    samples whose gradient leads the number away, both of the one answer and of the other.
    """
    output, target, gradient = look.output, look.target, look.output_gradient
    if output is None or target is None or gradient is None:
        return None
    if case.identified_loss is not None or target.numel() != output.numel():
        return None
    if not final_loss(case) < 0:
        return None  # an error that becomes small, of outputs of which the least is a yes
    yes = target.reshape(-1).double()
    pulled = gradient.reshape(-1).double() * (2 * yes - 1)
    if not bool(((yes == 0) | (yes == 1)).all()) or not bool(pulled.any()):
        return None
    kinds = [pulled[yes == kind] for kind in (0, 1)]
    if min(map(len, kinds)) == 0:
        return None
    return min(float((kind > 0).double().mean()) for kind in kinds)


def _is_negated(case: Case) -> bool:
    """Whether the loss is no more than functions of errors with a minus, of whatever part of the
    outputs: in networks that play against each other one may be meant to err.
    """
    terms = [look.loss_terms for look in case.looks[:3] if look.loss_terms]
    return (
        bool(terms)
        and not case.several
        and all(
            term.factor is not None
            and term.factor < 0
            and (
                term.name in OTHER_LOSSES
                or (term.name in ERROR_LOSSES and term.target in (*DATA, "network", "output"))
            )
            for of_look in terms
            for term in of_look
        )
    )
