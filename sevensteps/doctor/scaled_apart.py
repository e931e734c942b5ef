"""Validation inputs that are scaled in another way: a part of `train_valid_mismatch`."""

from __future__ import annotations

import math

from torch import Tensor

from sevensteps.data.checks import all_finite
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import learned_enough, significant
from sevensteps.doctor.pairs import targets_of

STEP = "repeat"
ROWS = 5000  # of each part whose scale is compared
SCALE = 3.0  # standard deviations of the parts against each other
SHIFT = 1.0  # difference of the means in standard deviations
AS_WELL = 0.05  # of the way from chance to a perfect score that the validation score may be lower
ODD = 0.02  # share of the rows that may be outliers
Scale = tuple[float, float]  # mean and standard deviation


def scales_of_parts(case: Case) -> tuple[Scale, Scale] | None:
    """Mean and spread of the inputs of both parts; None where a number is not finite."""
    assert case.train is not None
    assert case.valid is not None
    inputs = case.train[0], case.valid[0]
    first, second = case.of_data("scales of the parts", lambda: [_scale(x[:ROWS]) for x in inputs])
    return None if first is None or second is None else (first, second)


def scaled_apart(case: Case, train: Scale, valid: Scale) -> Finding | None:
    """Inputs whose means or spreads are apart; a remark where few rows make it so, or where the
    network answers both alike.
    """
    (mean_a, spread_a), (mean_b, spread_b) = train, valid
    if not (spread_a > 0 and spread_b >= 0):
        return None
    ratio, shift = spread_b / spread_a, abs(mean_b - mean_a) / spread_a
    if not are_apart(ratio, shift):
        return None
    assert case.train is not None
    assert case.valid is not None
    # without its outliers a part says how it was scaled
    first, second = (_scale(_without_outliers(part[0][:ROWS])) for part in (case.train, case.valid))
    odd = (
        first is not None
        and second is not None
        and first[1] > 0
        and not are_apart(second[1] / first[1], abs(second[0] - first[0]) / first[1])
    )
    harmless = odd or _carries_over(case)
    return Finding(
        "train_valid_mismatch",
        STEP,
        "info" if harmless else "error",
        0.6 if harmless else 0.93,
        f"A few rows, at most {ODD:.0%}, lie far outside of all others, so that the spread "
        f"of the validation inputs is {spread_b:.3g} and that of the training inputs "
        f"{spread_a:.3g}. The rest of both parts is scaled alike."
        if odd
        else f"The validation inputs have a spread of {spread_b:.3g} and a mean of {mean_b:.3g}, "
        f"the training inputs of {spread_a:.3g} and {mean_a:.3g}: "
        + (
            "they are other samples, but the network errs no more with them."
            if harmless
            else "they were not scaled alike, and the network meets inputs that it has never seen."
        ),
        [
            Measure(
                "spread of validation against training inputs",
                significant(ratio),
                "about 1",
                "",
            ),
            Measure(
                "difference of the means, in standard deviations",
                significant(shift),
                f"below {SHIFT:g}",
                "",
            ),
        ],
        [
            Remedy(
                {},
                "both parts then ask the same question",
                "look at these rows" if odd else "apply the training part's scaling to both parts",
            )
        ],
        {},
        None,
    )


def _carries_over(case: Case) -> bool:
    """Whether the network learned, and answers validation inputs as well as training inputs, as
    those of a series that goes on. An error is as large there and here where the targets of the
    one part vary less than those of the other, too, as in one season of a year.
    """
    train, valid = case.scores.get("train"), case.scores.get("valid")
    if train is None or valid is None or not learned_enough(case, 0.6):
        return False
    if case.task == "regression":
        output, targets = case.valid_outputs, targets_of(case.valid_examples)
        valid = max(valid, _score_by_training_spread(case.target, output, targets))
    return valid > train - AS_WELL * (1 - (case.baseline_score or 0.0))


def _score_by_training_spread(
    learned: Tensor | None, output: Tensor | None, targets: Tensor | None
) -> float:
    """1 - the mean square error of the output / the variance of the targets that were learned."""
    if learned is None or output is None or targets is None or output.numel() != targets.numel():
        return -math.inf
    error = output.cpu().double().reshape(targets.shape) - targets.cpu().double()
    learned = learned.cpu().double()
    variance = float((learned - learned.mean(0)).square().mean())
    return 1 - float(error.square().mean()) / variance if variance > 0 else -math.inf


def are_apart(ratio: float, shift: float) -> bool:
    return ratio > SCALE or ratio < 1 / SCALE or shift > SHIFT


def _without_outliers(x: Tensor) -> Tensor:
    """`x` without the rows that are furthest from the usual ones."""
    flat = x.detach().cpu().flatten(1).float()
    distance = (flat - flat.median(0).values).abs().amax(1)
    kept = max(1, len(x) - max(3, round(ODD * len(x))))
    return x[distance.argsort()[:kept].to(x.device)]


def _scale(x: Tensor) -> tuple[float, float] | None:
    """Mean and standard deviation of all numbers; None where one is not finite."""
    numbers = x.detach().cpu().float()
    return (float(numbers.mean()), float(numbers.std())) if all_finite(numbers) else None
