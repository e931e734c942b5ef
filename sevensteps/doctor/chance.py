"""Whether a network answers better than one that ignores its inputs, as far as that can be told: by
its score, by its loss, by what the same loss is worth with one answer for all inputs, by
`other_scores`, or by answers that have nothing to do with the targets.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.dependence import CHANCE, answers_and_targets
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    is_short,
    loss_still_falls,
)
from sevensteps.doctor.other_scores import (
    SCORE,
    ChanceComparison,
    accuracy_of_evaluations,
    heads,
    mean_of_density,
    places_in_batch,
    reported_score,
    retrieval,
    score_in_looks,
    score_of_unknown_loss,
)
from sevensteps.doctor.pairs import Pair, targets_of
from sevensteps.observe.structure import rows

WEAK = 0.2  # of this way on the training data, where the validation data show nothing
LOSS = 0.97  # of the ignorant loss
EXACT = 0.997  # of it, which is no better at all
BELOW = 0.1  # of the ignorant loss, that of the first step
LEAST_LOSS = 1e-6  # of which a share can be taken
PARTS, SIGMAS = 10, 2.5  # of the samples, by whose differences another loss is judged
TRAINED = 0.5  # of the ignorant loss, that the loss which was trained came below
MIN_STEPS = 100  # before which a network need not have learned anything
MIN_EPOCHS, MIN_STEPS_OF_EPOCHS = 5, 30  # or so often over its data, in that many steps
MIN_SAMPLES = 20  # fewer say nothing about chance
VALIDATION = "validation samples"
MAX_NUMBERS = 200_000  # of the outputs that the best constant answer is fitted to


def compare_with_chance(case: Case) -> list[ChanceComparison]:
    """Each measure that there is, surest first, up to the first that is better than chance; none
    where nothing can be told.

    Of several networks that train together the loss is no measure of one of them.
    """
    if case.before_training or case.several or case.diverged_at is not None:
        return []
    score = _score(case)
    if score is not None and score.better and _weak_by_luck(case):
        score = replace(score, better=False)
    if score is not None and score.better:
        return [score]
    loss = None
    if score is not None and score.of == VALIDATION:  # what training data say may be memory
        loss = _fitted_loss(case, case.valid_outputs, case.valid_examples, VALIDATION)
    loss = loss or compare_loss(case)
    loss = loss or _fitted_loss(case, case.train_outputs, case.examples, "training samples")
    if comparisons := [one for one in (score, loss) if one is not None]:
        return comparisons
    if several := heads(case):
        return several
    others = (
        score_of_unknown_loss(case),
        score_in_looks(case),
        mean_of_density(case),
        retrieval(case),
        places_in_batch(case),
        reported_score(case),
        accuracy_of_evaluations(case),
    )
    known = [comparison for comparison in others if comparison is not None]
    if not known and (unrelated := _unrelated_answers(case)) is not None:
        return [unrelated]
    return known


def is_at_chance(comparisons: list[ChanceComparison]) -> bool:
    """Whether there is a measure, and none is better than chance."""
    return bool(comparisons) and not any(comparison.better for comparison in comparisons)


def why_too_early(case: Case) -> str:
    """Why this training need not have learned anything yet; "" where it had the time."""
    batch = max((look.batch for look in case.looks), default=0)
    data = case.part("train")
    count = 0 if data is None or (target := targets_of(data)) is None else len(target)
    often = count > 0 and case.steps * batch >= MIN_EPOCHS * count
    if case.steps < (MIN_STEPS_OF_EPOCHS if often else MIN_STEPS):
        return f"it was trained for {case.steps:,} steps only"
    if not often and is_short(case):
        return "all its steps together moved the weights by less than their own norm"
    falls = case.loss_is_error and loss_still_falls(case)
    return "its loss was still falling" if falls else ""


def _score(case: Case) -> ChanceComparison | None:
    if case.skill is None or case.baseline_score is None or case.target is None:
        return None
    if len(case.target) < MIN_SAMPLES:
        return None
    least, valid = case.baseline_score, case.scores.get("valid")
    # what is weak where it was learned, and nothing elsewhere, may be memory
    truth = targets_of(case.part("valid"))
    nothing = (
        valid is not None
        and truth is not None
        and len(truth) >= MIN_SAMPLES
        and case.skill < WEAK
        and valid - least <= SCORE * (1 - least)
    )
    return ChanceComparison(
        "r2" if case.task == "regression" else "accuracy",
        case.scores["valid" if nothing else "train"],
        least,
        VALIDATION if nothing else "training samples",
        case.skill > SCORE and not nothing,
    )


def _weak_by_luck(case: Case) -> bool:
    """Whether a score is only a little beyond chance, and the loss is not at all: which answer is
    the likeliest may be right more often, though nothing is known.
    """
    if case.skill is None or case.skill >= WEAK:
        return False
    by_loss = compare_loss(case)
    return by_loss is not None and by_loss.reached >= EXACT * by_loss.ignorant


def compare_loss(case: Case) -> ChanceComparison | None:
    """The loss at the end, where it is one term whose ignorant value is known."""
    ignorant, end = case.baseline_loss, final_loss(case)
    terms = next((look.loss_terms for look in case.looks if look.loss_terms), ())
    if (
        not case.loss_is_error
        or ignorant is None
        or ignorant < 1e-6
        or len(terms) > 1
        or not math.isfinite(end)
    ):
        return None
    identified = case.identified_loss
    if identified is not None and not 0.5 < identified.scale < 2:  # a sum, or a part of a mean
        return None
    if identified is None and first_loss(case) < BELOW * ignorant:
        return None  # targets were prepared within the loss: no network begins so far below
    # without it the ignorant loss is that of a call: its outputs may be slopes, and its answers
    # may be few, so that only what is no better at all counts
    better = end < (EXACT if identified is None else LOSS) * ignorant
    return ChanceComparison("loss", end, ignorant, "its last steps", better)


def _unrelated_answers(case: Case) -> ChanceComparison | None:
    """Answers that have nothing to do with the targets, of a loss of which nothing else is known;
    None where they have: what an untrained network answers depends on the targets, too. Targets of
    pairs say nothing of either sample's own answer.
    """
    if case.skill is not None or case.bootstrapped:
        return None
    if any(look.passes > 1 or len(look.outputs) > 1 for look in case.looks):
        return None
    apart = answers_and_targets(case)
    if apart is None or apart > CHANCE:
        return None
    return ChanceComparison(
        "dependence of answers and targets, in standard deviations of shuffled pairs",
        apart,
        CHANCE,
        "training samples",
        False,
        "what is no chance",
    )


def _fitted_loss(
    case: Case, outputs: Tensor | None, examples: Pair | None, of: str
) -> ChanceComparison | None:
    """The loss on some samples against that of one answer for all inputs, fitted to them: for any
    loss of outputs and targets that is known to be an error, or that was handed over.
    """
    if case.loss is None or outputs is None or examples is None or len(outputs) < MIN_SAMPLES:
        return None
    judged = case.loss_is_error or case.skill is not None or case.loss_fn is not None
    if not judged or not bool(outputs.isfinite().all()):
        return None
    count = max(min(len(outputs), MAX_NUMBERS // max(outputs[0].numel(), 1)), MIN_SAMPLES)
    chosen = torch.linspace(0, len(outputs) - 1, count).long()
    few, targets = outputs[chosen].double(), _double(rows(examples[1], chosen))
    try:
        constant = _best_constant(case, few, targets)
        reached, ignorant = (_mean_loss(case, o, targets) for o in (few, constant.expand_as(few)))
        apart = [] if ignorant > LEAST_LOSS else _differences(case, few, constant, targets)
    except Exception:  # a loss that takes more than outputs and targets
        return None
    if not math.isfinite(reached) or not math.isfinite(ignorant):
        return None
    if examples is case.examples and final_loss(case) < TRAINED * ignorant < TRAINED * reached:
        return None  # another loss than the one that was trained
    if case.loss_is_error and abs(ignorant) <= LEAST_LOSS:
        return None  # targets alike for all inputs, as where the first of the candidates is right
    if ignorant > LEAST_LOSS:
        better = reached < LOSS * ignorant
    elif len(apart) < PARTS or not all(map(math.isfinite, apart)):
        return None
    else:  # of a density, say, of which no share can be taken
        error = statistics.stdev(apart) / math.sqrt(len(apart))
        better = statistics.fmean(apart) > SIGMAS * error
    return ChanceComparison("loss", reached, ignorant, of, better)


def _differences(case: Case, outputs: Tensor, constant: Tensor, targets: Any) -> list[float]:
    """By how much the loss is less than that of one answer for all, in parts of the samples."""
    differences = []
    for part in torch.arange(len(outputs)).chunk(PARTS):
        own, known = outputs[part], rows(targets, part)
        worse = _mean_loss(case, constant.expand_as(own), known)
        differences.append(worse - _mean_loss(case, own, known))
    return differences


def _double(targets: Any) -> Any:
    single = isinstance(targets, Tensor) and targets.is_floating_point()
    return targets.double() if single else targets


def _mean_loss(case: Case, outputs: Tensor, targets: Any) -> float:
    assert case.loss is not None
    with torch.no_grad():
        return float(case.loss(outputs, targets).mean())


def _best_constant(case: Case, outputs: Tensor, targets: Any) -> Tensor:
    """The one answer for all that has the least loss, by LBFGS from the mean of the answers."""
    loss_fn = case.loss
    assert loss_fn is not None
    with torch.enable_grad():
        answer = outputs.mean(0, keepdim=True).detach().requires_grad_()
        optimizer = torch.optim.LBFGS([answer], max_iter=30, line_search_fn="strong_wolfe")

        def closure() -> float:
            optimizer.zero_grad()
            loss = loss_fn(answer.expand_as(outputs), targets).mean()
            loss.backward()
            return float(loss.detach())

        optimizer.step(closure)
    return answer.detach()
