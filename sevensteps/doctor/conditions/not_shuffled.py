"""not_shuffled: each batch holds one kind of sample, and the network forgets the others.

Such batches pull it to and fro. Measured: the targets of each batch against all targets seen: the
entropy of the classes within a batch, or the variance of batch means. Closed form: of batches drawn
at random, the latter is 1/B of the whole variance.

Remedies: `batches(64)`, which shuffles; in PyTorch, `DataLoader(…, shuffle=True)`. Silent on:
data in order that are mixed anyway; full batches; batches of fewer than 8 samples; targets that
move, as those that another network computes; numbers as targets, where rows come in ever other
order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.fed_data import in_order, targets_move
from sevensteps.doctor.finding import Finding, Measure, Remedy, Severity
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.doctor.measures import learned_enough, significant

STEP = "repeat"
EXPLAINS = (
    "overfitting",
    "learning_rate_too_high",
    "train_valid_mismatch",
    "class_imbalance",
    "underfitting",
    "batch_too_small",
    "stopped_early",
    "labels_unrelated",
    "dead_units",
    "mode_mismatch",
    "exploding_gradient",
    "optimizer_setting",
    "ill_conditioned",
    "too_small",
    "learning_rate_too_low",
    "schedule_collapsed",
    "saturated_units",
    "signal_vanishes",  # measured between samples of one kind
)
MIXED = 0.6  # entropy within a batch against that of all; random batches of 16 have above .9
ROWS, GOES_ON = 5000, 0.5  # rows whose steps are measured, against 1 of rows in any order
TIMES = 8.0  # variance of batch means against that of random batches


def examine(case: Case) -> Finding | None:
    targets = [
        look.target for look in case.looks if look.target is not None and len(look.target) >= 8
    ]
    if (
        case.before_training
        or not _is_judged(case)
        or len(targets) < 3
        or any(t.shape[1:] != targets[0].shape[1:] for t in targets)
    ):
        return None
    if case.train is not None and len(case.train[1]) <= 1.5 * len(targets[0]):
        return None  # nearly all samples at once
    if targets_move(case):
        return None
    pool = case.target if case.target is not None else torch.cat(targets)
    if case.task in ("binary", "multiclass") and case.labels is not None:
        whole = _entropy(case.labels)
        within = sum(_entropy(class_indices(t)) for t in targets) / len(targets)
        if whole < 0.2 or within > MIXED * whole or _drawn_alike(case, targets, within):
            return None
        measure = Measure(
            "entropy of the classes within a batch",
            significant(within),
            significant(whole),
            "of all targets",
        )
    elif case.task == "regression" and in_order(case) is not False:
        whole = float(pool.double().var(0).mean())
        size = sum(map(len, targets)) / len(targets)
        between = float(torch.stack([t.double().mean(0) for t in targets]).var(0).mean())
        if whole <= 0 or between * size / whole < TIMES or len(targets) < 5:
            return None
        measure = Measure(
            "variance of batch means against random batches",
            significant(between * size / whole),
            1,
            "var / B",
        )
    else:
        return None
    hurts = not learned_enough(case, 0.9) or (
        "valid" in case.scores and case.scores.get("train", 0) - case.scores["valid"] > 0.05
    )
    severity: Severity = "warning" if learned_enough(case, 0.6) else "error"
    if case.task == "regression" and not hurts and _is_series(case):
        severity = "info"
    return Finding(
        "not_shuffled",
        STEP,
        severity,
        0.93,
        "The batches are not mixed: each holds samples of one kind, so that the network learns "
        "one kind at a time and forgets the others" + (", as its score shows." if hurts else "."),
        [measure],
        [
            Remedy(
                {"repeat": f"batches({case.looks[0].batch or 64})"},
                "mixed batches each point to what suits all",
                "DataLoader(…, shuffle=True)",
            )
        ],
        {},
        0,
    )


def _is_judged(case: Case) -> bool:
    """Whether targets that are alike within a batch are no drawing of batches: of any loss, where
    the classes came in an order that is always the same. Targets that move with the training are
    alike in a batch, too, and codes are often learned from batches of few classes, drawn anew.
    """
    classes = case.task in ("binary", "multiclass")
    return case.loss_is_error or (classes and in_order(case) is True)


def _drawn_alike(case: Case, targets: list[Tensor], within: float) -> bool:
    """Whether all batches are of the same few kinds: not their order, but what is drawn for them
    leaves out the others.
    """
    fed = _entropy(class_indices(torch.cat(targets)))
    return within > MIXED * fed > 0 and in_order(case) is False


def _is_series(case: Case) -> bool:
    """Whether the inputs go on from row to row, as in the order of time, by the mean square of
    their steps against that of pairs at random (von Neumann 1941).
    """
    if case.train is None or not case.train[0].is_floating_point() or len(case.train[0]) < 3:
        return False
    x = case.train[0].detach().cpu().flatten(1)[:ROWS].double()
    varied = x.var(0) > 0
    x = x[:, varied]
    return (
        bool(varied.any())
        and float((x.diff(dim=0).square().mean(0) / x.var(0) / 2).mean()) < GOES_ON
    )


def _entropy(labels: Tensor) -> float:
    shares = torch.bincount(labels.clamp_min(0)).double() / len(labels)
    return float(torch.special.entr(shares).sum())
