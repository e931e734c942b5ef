"""class_imbalance: some classes are so rare that the network never predicts them.

Never predicting them costs hardly any loss. Measured: the recall of each class: a rare class that
is not recognised although the others are. Source: Japkowicz, Stephen 2002, The class imbalance
problem.

Remedies: weight the loss by 1 / share of the class, or draw rare samples more often. Silent on:
rare classes that are recognised; networks that do not recognise the common ones either.
"""

from __future__ import annotations

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.doctor.measures import significant

STEP = "repeat"
EXPLAINS = ("underfitting", "stopped_early", "too_small")
RARE = 0.35  # of an equal share
MISSED = 0.1  # recall


def examine(case: Case) -> Finding | None:
    pair = case.valid or case.sample
    labels = case.labels
    if (
        case.before_training
        or labels is None
        or pair is None
        or case.task not in ("binary", "multiclass")
        or case.diverged_at is not None
        or not case.loss_is_error
    ):
        return None
    output = case.valid_outputs if case.valid is not None else case.train_outputs
    if output is None:
        return None
    shares = torch.bincount(labels.clamp_min(0)).double() / len(labels)
    classes = len(shares)
    truth = class_indices(pair[1].cpu())
    answers = case.answers(output, default_link="sigmoid")
    if len(answers) != len(truth):
        return None
    recall = {
        c: float((answers[truth == c] == c).double().mean())
        for c in range(classes)
        if bool((truth == c).any())
    }
    rare = [
        c
        for c in recall
        if shares[c] < RARE / classes * (2 if classes == 2 else 1) / (2 if classes == 2 else 1)
    ]
    missed = [c for c in rare if recall[c] <= MISSED and int((truth == c).sum()) >= 3]
    common = [c for c in recall if c not in rare]
    if not missed or not common or min(recall[c] for c in common) < 0.6:
        return None
    return Finding(
        "class_imbalance",
        STEP,
        "warning",
        0.85,
        f"Class {', '.join(map(str, missed))} makes up "
        f"{min(float(shares[c]) for c in missed):.1%} of the training samples and is hardly "
        f"ever recognised (recall {min(recall[c] for c in missed):.2g}), while the common ones "
        "are: answering without it costs almost no "
        "loss, and the accuracy hides it.",
        [
            Measure(
                f"recall of class {c}",
                significant(recall[c]),
                "like the others'",
                f"{int((truth == c).sum())} samples",
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
