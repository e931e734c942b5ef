"""What shows that a training fails though another measure of it looks well: a loss beyond what its
formula can give, a score that never moves while the loss falls, one of several heads at chance.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.doctor.asking import ask
from sevensteps.doctor.case import Case
from sevensteps.doctor.chance import MIN_STEPS, compare_loss, why_too_early
from sevensteps.doctor.finding import Measure
from sevensteps.doctor.identify_loss import CROSS_ENTROPIES
from sevensteps.doctor.kind_of_task import class_indices, ignorant_entropy
from sevensteps.doctor.loss_purpose import purpose_of
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    learned_enough,
    loss_fell,
    path_of_steps,
    significant,
)
from sevensteps.doctor.other_scores import (
    GOOD,
    MIN_SAMPLES,
    ChanceComparison,
    is_better,
    linked,
    reported_score,
    score_of_head,
    target_of_head,
)
from sevensteps.doctor.pairs import targets_of
from sevensteps.observe.call import LossTerm
from sevensteps.observe.structure import tensors_of

# functions that are never below 0 for what they are written for
FLOORED = (
    *("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
    *("kl_div", "ctc_loss"),
)
BELOW = 0.01  # below 0, which is no rounding
ABOVE = 1.2  # times the loss of an ignorant answer, or that of the start
FAR = 10.0  # times the loss of the start, in absolute value, of one that runs away
AT_ONCE = 1e3  # times it, of one that did so at once
EVEN = 0.6  # share of the most common class, up to which no calibrated answer is always the same
FELL = 0.9  # of the ignorant loss, that such answers' loss is below
SIGMAS = 3.0  # of the means of two stretches
SKILLED = 0.8  # of the way to perfect answers, of which a few may be wrong for sure
COMPARED = (  # functions of which it is known how they read outputs
    *("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"),
)
STARVED = 0.1  # of the loss, that a part has which does not come through
LOWER = 0.9  # of the loss of the first stretch, that any learning comes below
MOVED = 0.5  # norms of the weights, that all steps together come to
EVALUATIONS = 5  # whose score is one and the same


@dataclass(frozen=True)
class Failure:
    """What was measured, in a sentence and as evidence, and the conditions that lead to it, the
    likeliest first.
    """

    sentence: str
    measure: Measure
    suspects: tuple[str, ...]


def failure(case: Case) -> Failure | None:
    """The surest sign that this training fails, whatever else looks well; None where there is none,
    or too few steps were taken.
    """
    if case.before_training or case.several or case.diverged_at is not None:
        return None
    signs: tuple[Callable[[Case], Failure | None], ...] = (
        _impossible_loss,
        runs_away,
        _one_answer,
        _head_at_chance,
        _worse_than_ignorant,
        _score_stays,
        _only_by_heart,
        _worse_than_start,
        _never_fell,
    )
    return next((sign for find in signs if (sign := find(case)) is not None), None)


def _impossible_loss(case: Case) -> Failure | None:
    """A term of the loss that is less than 0, where its function cannot give that for outputs and
    targets as it takes them.
    """
    for look in case.looks[-3:]:
        for term in look.loss_terms:
            size = _size(term)
            if term.name in FLOORED and size is not None and size < -BELOW:
                return Failure(
                    f"{term.name} gives {size:.3g}: of what it is written for it is never below 0, "
                    "so that outputs or targets are no such numbers, and how small it becomes says "
                    "nothing.",
                    Measure(
                        f"{term.name}, before it is weighed", significant(size), "0 or more", ""
                    ),
                    ("output_loss_mismatch", "target_out_of_range"),
                )
    return None


def _size(term: LossTerm) -> float | None:
    """What a term is before it is weighed; None where that is not known."""
    if term.contribution is None or not term.factor or not math.isfinite(term.contribution):
        return None
    return term.contribution / term.factor


def runs_away(case: Case) -> Failure | None:
    """A loss that falls beyond all bounds, the faster the longer it does."""
    if case.before_training or case.several or case.diverged_at is not None:
        return None
    means = [value for _, value in case.smoothed_losses]
    if len(means) < 8 or means[-1] >= 0 or case.bootstrapped or _score_rises(case):
        return None
    start, middle, end = abs(means[0]), means[len(means) // 2], means[-1]
    first, second = means[0] - middle, middle - end
    faster = second > first > 0 and -end > FAR * start
    if not faster and -end < AT_ONCE * max(start, abs(first_loss(case)), 1.0):
        return None
    return Failure(
        f"The loss runs away: from {means[0]:.3g} by {middle:.3g} to {end:.3g}, the faster the "
        "longer it was trained. Something in it can be made as small as one likes, and the rest no "
        "longer counts.",
        Measure("loss at the end", significant(end), "level", "means over stretches"),
        ("loss_sign", "loss_terms_unbalanced"),
    )


def _one_answer(case: Case) -> Failure | None:
    """One and the same class for all samples, though none is common, and the loss is much smaller
    than where nothing is known: the answers differ, and never cross the line between the classes.
    """
    output, target = case.train_outputs, targets_of(case.examples)
    known = compare_loss(case)
    if case.skill is None or case.task not in ("binary", "multiclass") or known is None:
        return None
    if output is None or target is None or known.reached > FELL * known.ignorant:
        return None
    classes = class_indices(target.cpu())
    answers, share = case.answers(output, "identity"), classes.bincount().max() / len(classes)
    if len(classes) < MIN_SAMPLES or len(answers.unique()) > 1 or float(share) > EVEN:
        return None
    return Failure(
        f"The loss has come from {known.ignorant:.3g}, where nothing is known of the inputs, to "
        f"{known.reached:.3g}, and yet all {len(answers)} samples get the same class: the outputs "
        "cannot reach the side of the others.",
        Measure("classes that are answered", 1, len(classes.unique()), "training samples"),
        ("output_loss_mismatch", "target_out_of_range", "loss_sign"),
    )


def _head_at_chance(case: Case) -> Failure | None:
    """One of several answers that is no better than the same for all inputs, while others are, or
    of which a part of the loss gives back the input.
    """
    if why_too_early(case).startswith("it was trained"):
        return None
    comparisons = _scores_of_terms(case)
    poor = [(t, one) for t, one in comparisons if not one.better and _is_to_learn(t, case)]
    if not poor:
        return None
    term, one = poor[0]
    rebuilt = term.target in ("input", "shifted input")
    if not rebuilt and len(poor) == len(comparisons):
        return None  # all of it is at chance, and judged as a whole
    return Failure(
        f"The {one.measure} is {one.reached:.3g}, no better than the {one.ignorant:.3g} of the "
        "same answer for all inputs"
        + (
            ", while the other answers have learned: its part of the loss does not come through."
            if len(poor) < len(comparisons)
            else ": the input is not given back, whatever became of the loss."
        ),
        Measure(one.measure, significant(one.reached), f"above {one.ignorant:.3g}", one.of),
        ("loss_terms_unbalanced", "loss_sign") if rebuilt else ("loss_terms_unbalanced",),
    )


def _is_to_learn(term: LossTerm, case: Case) -> bool:
    """Whether an answer at chance is no success: where its gradient may be turned round on the way
    to the other weights, it is to know nothing, and its part of the loss is not small.
    """
    terms = next((look.loss_terms for look in case.looks if look.loss_terms), ())
    whole = math.fsum(abs(one.contribution or 0.0) for one in terms)
    starved = abs(term.contribution or 0.0) < STARVED * whole
    plain = any(look.part_gradients for look in case.looks)
    return (term.factor is None or term.factor > 0) and (starved or plain)


def _scores_of_terms(case: Case) -> list[tuple[LossTerm, ChanceComparison]]:
    """The score of each output that a term of the loss compares with data that are known."""
    terms = next((look.loss_terms for look in case.looks if look.loss_terms), ())
    compared = [t for t in terms if t.name in COMPARED and t.network == terms[0].network]
    whole = all(purpose_of(term) in ("error", "regularizer") for term in terms)
    rebuilt = [t for t in compared if t.target in ("input", "shifted input")]
    chosen = compared if whole and len({t.output for t in compared}) > 1 else rebuilt
    if not chosen or case.examples is None:
        return []
    try:
        with case.network_copy() as network, torch.no_grad():
            outputs = {} if network is None else tensors_of(ask(network, case.examples[0]))
    except Exception:  # inputs of another form
        return []
    scores = []
    for term in chosen:
        output, target = outputs.get(term.output), None
        if output is not None and len(output) >= MIN_SAMPLES:
            target = _target_of(term, output, case)
        if output is None or target is None or len(output) != len(target):
            continue
        if not bool(output.isfinite().all()):
            continue
        name, reached, least = score_of_head(linked(output, target, term.name), target)
        if reached is not None:
            better = is_better(reached, least, len(target))
            of = f" of output {term.output}" if term.output else ""
            scores.append(
                (term, ChanceComparison(name + of, reached, least, "training samples", better))
            )
    return scores


def _target_of(term: LossTerm, output: Tensor, case: Case) -> Tensor | None:
    assert case.examples is not None
    if term.target == "data":
        return target_of_head(term.output, output, tensors_of(case.examples[1]), term.name)
    same = [t for t in tensors_of(case.examples[0]).values() if t.shape == output.shape]
    return same[0] if len(same) == 1 and term.target == "input" else None


def _worse_than_ignorant(case: Case) -> Failure | None:
    """A cross-entropy above that of an answer that ignores the inputs, by the classes as they were
    fed, of a network that is not right nearly always.
    """
    known = compare_loss(case)
    function = case.identified_loss.loss.function if case.identified_loss else ""
    if known is None or case.steps < MIN_STEPS or function not in CROSS_ENTROPIES:
        return None
    fed = [look.target for look in case.looks if look.target is not None]
    fed = [target for target in fed if target.shape[1:] == fed[0].shape[1:]]
    ignorant = known.ignorant
    if fed and case.task is not None and case.task != "regression":
        ignorant = max(ignorant, ignorant_entropy(torch.cat(fed), case.task) or 0.0)
    if known.reached < ABOVE * ignorant or learned_enough(case, SKILLED):
        return None
    return Failure(
        f"The loss ended at {known.reached:.3g}; an answer that ignores the inputs has "
        f"{ignorant:.3g}: where the network is wrong it is far too sure of it.",
        Measure("loss at the end", significant(known.reached), f"below {ignorant:.3g}", known.by),
        ("output_overconfident", "learning_rate_too_high", "stopped_early"),
    )


def _score_stays(case: Case) -> Failure | None:
    """A score that the loop reports and that does not rise, while the loss falls far."""
    evaluated = [score for _, _, score in case.observation.evaluations if score is not None]
    stuck = len(evaluated) >= EVALUATIONS and len(set(evaluated)) == 1 and evaluated[0] < GOOD
    known = reported_score(case, any_loss=True)
    if not stuck and (known is None or known.better or not case.loss_is_error):
        return None
    if not loss_fell(case) and not stuck:
        return None
    start, end = (evaluated[0],) * 2 if stuck else (known.ignorant, known.reached)  # type: ignore[union-attr]
    return Failure(
        f"The loss went from {first_loss(case):.3g} to {final_loss(case):.3g}, and the score that "
        f"the loop reports stayed at {start:.3g}"
        + (f" (at the end {end:.3g})" if end != start else "")
        + ": what is made small is not what is asked for.",
        Measure("reported score", significant(end), f"above {start:.3g}", "the start"),
        ("output_loss_mismatch", "loss_unsuited", "train_valid_mismatch", "target_in_input"),
    )


def _score_rises(case: Case) -> bool:
    known = reported_score(case, any_loss=True)
    return known is not None and known.better


def _only_by_heart(case: Case) -> Failure | None:
    """Training samples that are known, and validation samples of which nothing is."""
    truth, least = targets_of(case.part("valid")), case.baseline_score
    score, valid = case.scores.get("train"), case.scores.get("valid")
    if truth is None or least is None or score is None or valid is None or case.skill is None:
        return None
    if len(truth) < 5 * MIN_SAMPLES or (case.task != "regression" and least > EVEN):
        return None
    if is_better(valid, least, len(truth)) or not is_better(score, least, len(truth)):
        return None
    return Failure(
        f"The network scores {score:.3g} on the data it was trained with and {valid:.3g} on the "
        f"validation data, where the same answer for all inputs scores {least:.3g}: nothing that "
        "it learned holds there.",
        Measure("score on the validation data", significant(valid), f"above {least:.3g}", ""),
        ("labels_unrelated", "overfitting", "train_valid_mismatch", "target_in_input"),
    )


def _worse_than_start(case: Case) -> Failure | None:
    """An error that ends above where it began, of which nothing else is known."""
    means = [value for _, value in case.smoothed_losses]
    if not case.loss_is_error or case.skill is not None or case.steps < MIN_STEPS:
        return None
    if len(means) < 10 or not 0 < ABOVE * means[0] < means[-1] or _score_rises(case):
        return None
    losses = [value for _, value in case.losses if math.isfinite(value)]
    part = len(losses) // 10
    if part < 3:
        return None
    before, after = losses[:part], losses[-part:]
    noise = math.hypot(*(statistics.stdev(p) / math.sqrt(part) for p in (before, after)))
    if statistics.fmean(after) - statistics.fmean(before) < SIGMAS * noise:
        return None
    return Failure(
        f"The loss rose from {means[0]:.3g} to {means[-1]:.3g}: the training ended worse than it "
        "began.",
        Measure("loss at the end", significant(means[-1]), f"below {means[0]:.3g}", "the start"),
        ("learning_rate_too_high", "loss_sign", "loss_terms_unbalanced"),
    )


def _never_fell(case: Case) -> Failure | None:
    """A loss above 0 that is at the end, and was in every stretch, what it was in the first steps,
    though the weights moved; of which nothing else is known.
    """
    means = [value for _, value in case.smoothed_losses]
    if case.steps < 2 * MIN_STEPS or case.skill is not None or case.bootstrapped or len(means) < 10:
        return None
    if compare_loss(case) is not None or reported_score(case, any_loss=True) is not None:
        return None
    losses = [value for _, value in case.losses]
    if not all(value > 0 for value in losses) or not path_of_steps(case) > MOVED:
        return None
    if any(term.total for look in case.looks for term in look.loss_terms):
        return None  # as of networks that play against each other
    if any("log_prob" in term.name for look in case.looks for term in look.loss_terms):
        return None  # of a policy
    if min(means) < LOWER * means[0] or first_loss(case) > means[0] / LOWER:
        return None
    return Failure(
        f"The loss was {first_loss(case):.3g} in the first step and is {means[-1]:.3g} after "
        f"{case.steps:,}, and in no stretch between was it lower, though the weights moved: what "
        "is made small does not depend on what they learn, or the network cannot make it smaller.",
        Measure(
            "loss, the least of all stretches",
            significant(min(means)),
            f"below {LOWER * means[0]:.3g}",
            "the first steps",
        ),
        ("no_nonlinearity", "parameters_not_updated", "input_not_used", "learning_rate_too_high"),
    )
