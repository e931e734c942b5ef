"""order_blind: the order of a sequence changes nothing, and the network answers poorly.

As of attention without positions, which sees a set. Measured: how far answers move in evaluation
mode when the steps of a sequence, or the patches of an image, come in another order, in units of
their spread between samples, with the present weights and with new ones; of an answer for each
step, whether it goes with its step wherever that stands. And the score. Source: Vaswani et al.
2017, Attention is all you need, section 3.5.

Remedies: add positions, learned or of sines, to what goes into attention; a recurrent layer or a
convolution. Silent on: networks that learn well, as bags of words and sets do by design; poor ones
without attention, or where a simple model that sees the order does no better, or no better than
one that does not see it; networks whose
weights are still as they were drawn.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.chance import compare_with_chance, why_too_early
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.hardly_moved import hardly_moved
from sevensteps.doctor.measures import significant
from sevensteps.doctor.questions.order import SAME, Order, order
from sevensteps.doctor.simple_models import (
    MAX_ROWS,
    model_of_places_score,
    model_of_sets_score,
    simple_model_score,
)

STEP = "predict"
EXPLAINS = (
    "underfitting",
    "stopped_early",
    "too_small",
    "learning_rate_too_low",
    "labels_unrelated",
    "label_noise",
    "batch_too_small",
    "ill_conditioned",
    "overfitting",
    "dead_units",
)
POOR = 0.3  # skill, on either part of the data, below which the order may be what is missed
GOOD = 0.9  # skill, above which nothing is missed
AHEAD = 0.05  # of the score, of a simple model that sees the order
LUCK = 3.0  # standard errors of a share, at most


def examine(case: Case) -> Finding | None:
    if case.before_training or why_too_early(case):
        return None
    if hardly_moved(case):
        return None  # whatever order it sees, it has learned nothing from it yet
    if not case.loss_is_error or case.skill is None or case.skill > GOOD:
        return None
    answers = order(case)
    if answers is None or max(answers.moved, answers.redrawn) > SAME:
        return None
    if answers.each and answers.others <= SAME:
        return None  # each step by itself
    simple, score = simple_model_score(case), min(case.scores.values())
    simple = model_of_places_score(case) if simple is None else simple
    least = case.baseline_score or 0.0
    ahead = simple is not None and simple - max(score, least) > _margin(case)
    if ahead and (model_of_sets_score(case) or 0.0) >= (simple or 0.0):
        return None  # what it misses is no order
    seen_whole = simple_model_score(case) is not None
    if not ahead and (score - least > POOR * (1 - least) or seen_whole):
        return None
    if not ahead and (_predicts(case) or not _attends(case)):
        return None
    what = f"patches of {answers.patch} by {answers.patch} pixels" if answers.patch else "steps"
    goes = ", but for going with its step" if answers.each else ""
    better = f"; a simple model that sees the order scores {simple:.3g}" if ahead else ""
    return Finding(
        "order_blind",
        STEP,
        "warning",
        0.85 if ahead else 0.75,
        f"In another order of its {answers.steps} {what} an input gets the same answer{goes}, "
        f"whatever the weights are: the network sees a set. It scores {score:.3g}{better}. If "
        "the order matters, attention needs the positions as an input, and a sum forgets them.",
        [_measure(answers)],
        [
            Remedy(
                {},
                "attention treats its inputs alike wherever they stand",
                "add a position to each step: x + self.position(torch.arange(T)), and see that it "
                "is added before the first attention; put two vectors one after the other, "
                "torch.cat([a, b], -1), where a + b would be the same as b + a",
            )
        ],
        {},
        0,
    )


def _margin(case: Case) -> float:
    """By how much a simple model has to do better, beyond what luck gives on so few samples."""
    count = 1 if case.sample is None else min(len(case.sample[0]), MAX_ROWS)
    return max(AHEAD, LUCK * 0.5 / math.sqrt(count))


def _attends(case: Case) -> bool:
    """Whether steps look at each other by attention, to which positions have to be told; a mean of
    words is a set by design.
    """
    layers = (layer.kind for layer in case.facts.layers.values())
    if any("Attention" in kind or "Transformer" in kind for kind in layers):
        return True
    calls = [call for look in case.looks[:8] for call in look.calls if call.network is not None]
    if any(call.kind == "attention" for call in calls):
        return True
    scores = [next(iter(call.shapes.values()), ()) for call in calls if call.kind == "softmax"]
    return any(len(shape) > 2 and shape[-1] == shape[-2] for shape in scores)


def _predicts(case: Case) -> bool:
    """Whether the loss says that it learns, whatever the score: of a class that is rare, the most
    likely answer may always be the other one.
    """
    losses = [one for one in compare_with_chance(case) if one.measure == "loss"]
    return any(one.ignorant - one.reached > POOR * one.ignorant for one in losses)


def _measure(answers: Order) -> Measure:
    return Measure(
        "how far answers move in another order, in spreads of the answers",
        significant(answers.moved),
        f"above {SAME:g}",
        "in evaluation mode, also with new weights",
    )
