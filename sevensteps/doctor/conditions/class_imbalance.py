"""class_imbalance: some classes are so rare that the network never predicts them.

Never predicting them costs hardly any loss, the less where class weights are upside down. Measured:
the recall of each class: a rare class that is not recognised although the others are; and how much
a sample of each class weighs in the loss, by the loss function's `weight` or by the gradients at
the outputs. Source: Japkowicz, Stephen 2002, The class imbalance problem.

Remedies: weight the loss by 1 / share of the class, or draw rare samples more often. Silent on:
rare classes that are recognised; networks that do not recognise the common ones either; trainings
of a few steps, and answers that have nothing to do with the targets; words of which some are rare,
while others are known.
"""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.chance import why_too_early
from sevensteps.doctor.class_names import class_name, class_subject
from sevensteps.doctor.class_weights import class_weights
from sevensteps.doctor.dependence import CHANCE, answers_and_targets
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.kind_of_task import answered_positions, class_indices, known_positions
from sevensteps.doctor.measures import significant
from sevensteps.doctor.pairs import targets_of

STEP = "repeat"
EXPLAINS = ("underfitting", "stopped_early", "too_small", "learning_rate_too_low")
RARE = 0.35  # of an equal share
MISSED = 0.1  # recall
OFTENER = 3.0  # times as often in the batches as in the data
OUTWEIGHED, NEGLECTED = 8.0, 0.4  # times a common class's weight; recall of that one
LEAST_TARGETS = 100  # of the batches
LIGHT = 0.5  # of the weight of a common class
LEFT_OUT = 0.02  # of the samples, of the class that is ignored
MANY = 20  # classes of positions, of which some are always rare
POOR = 0.6  # of the recall of the common classes


def examine(case: Case) -> Finding | None:
    if case.before_training or case.diverged_at is not None or not case.loss_is_error:
        return None
    return _left_out(case) or _upside_down(case) or _weighed_twice(case) or _never_answered(case)


def _left_out(case: Case) -> Finding | None:
    """A class of the samples that the loss ignores, so that it is never answered."""
    if case.task not in ("binary", "multiclass") or (labels := case.labels) is None:
        return None
    for _, call in case.loss_calls:
        ignored = call.options.get("ignore_index")
        if call.name not in ("cross_entropy", "nll_loss") or not isinstance(ignored, int):
            continue
        share = float((labels == ignored).double().mean())
        if ignored < 0 or share < LEFT_OUT or (judged := _answers(case)) is None:
            continue
        truth, answers, _ = judged
        if not bool((truth == ignored).any()) or bool((answers == ignored).any()):
            continue
        return Finding(
            "class_imbalance",
            STEP,
            "error",
            0.9,
            f"ignore_index={ignored} leaves a class out of the loss: class "
            f"{class_name(case, ignored)}, {share:.0%} "
            "of the samples, teaches nothing, and the network never answers it.",
            [
                Measure(
                    f"share of class {class_name(case, ignored)}, which {call.name} ignores",
                    significant(share),
                    0,
                    f"ignore_index of {call.where or 'the loss'}",
                ),
                Measure(
                    f"recall of class {class_name(case, ignored)}", 0, "above 0", "its samples"
                ),
            ],
            [
                Remedy(
                    {},
                    "every class then counts",
                    "leave ignore_index out, or give it a number that no class has (-100)",
                )
            ],
            {"classes": [ignored]},
            0,
        )
    return None


def _upside_down(case: Case) -> Finding | None:
    """Rare classes that weigh less in the loss than common ones do, and are recognised less."""
    if (weights := class_weights(case)) is None or (judged := _answers(case)) is None:
        return None
    truth, answers, shares = judged
    classes = len(shares)
    recall = {
        c: float((answers[truth == c] == c).double().mean())
        for c in range(classes)
        if int((truth == c).sum()) >= 3 and c in weights
    }
    rare = [c for c in recall if shares[c] < RARE / classes]
    common = [c for c in recall if c not in rare and weights[c] > 0]
    if not common:
        return None
    heavy = sum(weights[c] for c in common) / len(common)
    usual = sum(recall[c] for c in common) / len(common)
    light = [c for c in rare if weights[c] < LIGHT * heavy and recall[c] < POOR * usual]
    if not light or usual < POOR:
        return None
    worst = min(light, key=lambda c: recall[c])
    most = max(common, key=lambda c: float(shares[c]))
    return Finding(
        "class_imbalance",
        STEP,
        "error",
        0.93,
        f"The class weights are upside down: class {class_name(case, worst)}, "
        f"{float(shares[worst]):.1%} of the "
        f"samples, weighs {weights[worst]:.2g} in the loss and class "
        f"{class_name(case, most)}, "
        f"{float(shares[most]):.0%} of them, {weights[most]:.2g}. The rare ones, hard to learn by "
        f"their number alone, count even less: recall {recall[worst]:.2g} against "
        f"{recall[most]:.2g}.",
        [
            Measure(
                f"weight of class {class_name(case, c)}",
                significant(weights[c]),
                f"above {significant(heavy):g}, that of the common ones",
                "weight of the loss function, or the gradients",
            )
            for c in light[:4]
        ]
        + [
            Measure(
                f"recall of class {class_name(case, c)}",
                significant(recall[c]),
                significant(usual),
                "",
            )
            for c in light[:4]
        ],
        [
            Remedy(
                {},
                "rare classes then count as much as common ones",
                "weight each class by 1 / its share, not by its share",
            )
        ],
        {"classes": light},
        0,
    )


def _weighed_twice(case: Case) -> Finding | None:
    """A common class that is hardly answered, because rare ones, which come far more often in the
    batches than in the data, have a far larger weight as well.
    """
    weights, drawn = class_weights(case), _shares_in_batches(case)
    judged = _answers(case)
    if weights is None or drawn is None or judged is None:
        return None
    truth, answers, shares = judged
    common = int(shares.argmax())
    asked = truth == common
    rare = [
        c
        for c in range(min(len(shares), len(drawn)))
        if shares[c] < RARE / len(shares) and drawn[c] >= OFTENER * shares[c]
    ]
    if common in rare or not rare or int(asked.sum()) < 3 or common >= len(drawn):
        return None
    recall = float((answers[asked] == common).double().mean())
    heavy = max(rare, key=lambda c: weights.get(c, 0.0) * float(drawn[c]))
    ratio = weights.get(heavy, 0.0) * float(drawn[heavy])
    ratio /= max(weights.get(common, 0.0) * float(drawn[common]), 1e-12)
    if recall > NEGLECTED or ratio < OUTWEIGHED:
        return None
    rare_name, common_name = class_name(case, heavy), class_name(case, common)
    return Finding(
        "class_imbalance",
        STEP,
        "error",
        0.9,
        f"Class {rare_name}, {float(shares[heavy]):.1%} of the samples, is "
        f"{float(drawn[heavy]):.0%} of the batches and weighs {weights[heavy]:.3g} in the loss, "
        f"class {common_name} {weights.get(common, 0.0):.3g}: it is made up for twice, and "
        f"counts {ratio:,.0f} times as much in all. Of class {common_name}, "
        f"{float(shares[common]):.0%} of the samples, only {recall:.0%} are recognised.",
        [
            Measure(
                f"share in the batches · weight, {rare_name} / {common_name}",
                significant(ratio),
                "about 1",
                "targets of the batches and weights of the loss",
            ),
            Measure(f"recall of class {common_name}", significant(recall), "above 0.6", ""),
        ],
        [
            Remedy(
                {},
                "rare classes then count as much as common ones, and not more",
                "draw rare samples more often, or weigh them in the loss, and not both",
            )
        ],
        {"classes": [heavy]},
        0,
    )


def _shares_in_batches(case: Case) -> Tensor | None:
    """How often each class comes in the batches that were looked at; None where it is not known."""
    if case.part("train") is None or case.task not in ("binary", "multiclass"):
        return None
    targets = [look.target for look in case.looks if look.target is not None]
    if not targets or sum(map(len, targets)) < LEAST_TARGETS:
        return None
    labels = torch.cat([class_indices(target.cpu()) for target in targets])
    return torch.bincount(labels.clamp_min(0)).double() / len(labels)


def _answers(case: Case) -> tuple[Int[Tensor, "N"], Int[Tensor, "N"], Tensor] | None:
    """Classes and answered classes of all samples or positions, and the share of each class in the
    training targets; None where they are not known.
    """
    part = "valid" if case.part("valid") is not None else "train"
    pair = case.valid_examples or case.examples
    target = targets_of(pair)
    output = case.valid_outputs if part == "valid" else case.train_outputs
    if case.target is None or target is None or output is None or len(output) != len(target):
        return None
    if case.task in ("binary", "multiclass") and case.labels is not None:
        labels, truth = case.labels, class_indices(target.cpu())
        answers = case.answers(output, default_link="sigmoid")
        if len(answers) != len(truth):
            return None
    elif case.task in ("tokens", "dense", "multilabel"):
        judged = answered_positions(output, target.cpu())
        if judged is None or not len(labels := known_positions(case.target)):
            return None
        answers, truth = judged
    else:
        return None
    shares = torch.bincount(labels.clamp_min(0)).double() / len(labels)
    return truth, answers, shares


def _knows_nothing_yet(case: Case) -> bool:
    """Whether the most common class is all that the network could answer: after a few steps, or
    where its answers have nothing to do with the targets.
    """
    if why_too_early(case).startswith("it was trained"):
        return True
    apart = answers_and_targets(case) if case.skill is None else None
    return apart is not None and apart <= CHANCE


def _never_answered(case: Case) -> Finding | None:
    if _knows_nothing_yet(case) or (judged := _answers(case)) is None:
        return None
    truth, answers, shares = judged
    classes = len(shares)
    places = case.task not in ("binary", "multiclass")
    if classes > MANY and places:
        return None
    recall = {
        c: float((answers[truth == c] == c).double().mean())
        for c in range(classes)
        if bool((truth == c).any())
    }
    rare = [c for c in recall if shares[c] < RARE / classes]
    missed = [c for c in rare if recall[c] <= MISSED and int((truth == c).sum()) >= 3]
    common = [c for c in recall if c not in rare]
    if not missed or not common or min(recall[c] for c in common) < 0.6:
        return None
    if case.task == "tokens" and len(missed) < len(recall) - 1:
        return None  # of many words some are rare
    share = float(shares[missed].sum())
    subject, several = class_subject(case, missed)
    recalls = sorted({significant(recall[c], 2) for c in missed})
    lowest = " to ".join(f"{value:g}" for value in {recalls[0]: 0, recalls[-1]: 0})
    what = "the training samples" if not places else "what is to be answered"
    return Finding(
        "class_imbalance",
        STEP,
        "warning",
        0.85,
        f"{subject} {'make' if several else 'makes'} up "
        f"{share:.2%} of {what} and {'are' if several else 'is'} hardly "
        f"ever recognised (recall {lowest}), while the common ones are: answering "
        f"without {'them' if several else 'it'} costs almost no loss, and the accuracy hides it.",
        [
            Measure(
                f"recall of class {class_name(case, c)}",
                significant(recall[c]),
                "like the others'",
                f"{int((truth == c).sum())} {'positions' if places else 'samples'}",
            )
            for c in missed[:4]
        ]
        + [
            Measure(
                "share of the rarest class",
                significant(float(shares.min())),
                significant(1 / classes),
                "training targets",
            )
        ],
        [
            Remedy(
                {},
                "every class then counts alike",
                "weight the loss by 1 / share of the class, or draw rare samples more often "
                "(WeightedRandomSampler)",
            )
        ],
        {"classes": missed},
        None,
    )
