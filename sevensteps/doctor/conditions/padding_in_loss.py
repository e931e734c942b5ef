"""padding_in_loss: the padding of short sequences counts in the loss, and is learned for the words.

Its positions are the easiest to answer, so that the loss falls and the score looks good while the
rest is hardly learned, of words as of series of numbers. Measured: one value that fills the end (or
the beginning) of the targets' rows and hardly stands anywhere else, where the inputs are all the
same, too; and the gradient at the outputs of these positions, which is exactly 0 where the loss
leaves them out, in whatever way it is written.

Remedies: `ignore_index`, or -100 in the targets of padding. Silent on: padding that the loss leaves
out; a class or a number that is common all over the rows, or ends them by its meaning; networks
that answer the other positions well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.kind_of_task import class_axis
from sevensteps.doctor.measures import significant
from sevensteps.metrics import r2
from sevensteps.observe.structure import tensors_of

STEP = "loss"
EXPLAINS = (
    "class_imbalance",
    "underfitting",
    "stopped_early",
    "learning_rate_too_low",
    "too_small",
    "does_not_learn",
)
MUCH, SOME = 0.4, 0.2  # of the targets that count
MOST = 0.8  # of them: an error
WITHIN = 0.95  # of the value's places that lie in the padding
SAME = 0.98  # of the inputs at these places
LEARNED = 0.6  # of the way from the most common class of the rest to all right
LEARNED_BESIDE_MOST = 0.85  # of it, where nearly everything is padding
MIN_STEPS = 4  # of numbers or classes in a row
MIN_ROWS = 16  # of targets; fewer show no padding


@dataclass(frozen=True)
class _Padding:
    """A value that fills the rows of targets up, at the places `at`, `share` of those with a
    class, or with a number.
    """

    value: float
    share: float
    at: Bool[Tensor, "N T"]


def examine(case: Case) -> Finding | None:
    if case.before_training or case.examples is None or case.task not in ("tokens", "regression"):
        return None
    target = case.sample[1] if case.sample is not None else case.target
    target = None if target is None else _series(target)
    if target is None or len(target) < MIN_ROWS:
        return None
    padding = _padding(target)
    if padding is None or padding.share < SOME or not _inputs_are_padded(case, padding):
        return None
    gradient = _share_of_gradient(case, padding.value)
    if not gradient:
        return None
    skill, right = _rest(case, target, padding)
    if skill is not None and skill >= (LEARNED if padding.share < MOST else LEARNED_BESIDE_MOST):
        return None
    much = padding.share >= MUCH
    numbers = target.is_floating_point()
    what = f"number {padding.value:g}" if numbers else f"class {padding.value:g}"
    measure = "r2" if numbers else "accuracy"
    rest = f"{measure} on the rest"
    return Finding(
        "padding_in_loss",
        STEP,
        "info" if not much else "error" if padding.share >= MOST else "warning",
        0.92 if skill is not None else 0.8,
        f"{padding.share:.0%} of the targets are padding ({what}), and they count "
        f"in the loss: {gradient:.0%} of its gradient at the start came from them"
        + (f". On the other positions the {measure} is {right:.2g}" if right is not None else "")
        + f". Answering padding is learned at once and makes loss and {measure} look good, "
        "whatever becomes of the rest.",
        [
            Measure(
                "share of padding among the targets that count",
                significant(padding.share),
                0,
                f"{what} at the ends of the rows",
            ),
            Measure(
                "share of the gradient that comes from padding",
                significant(gradient),
                0,
                "dL/d(output) of the first looks",
            ),
            *(
                [Measure(rest, significant(right), "", "training samples")]
                if right is not None
                else []
            ),
        ],
        [
            Remedy(
                {},
                "the loss is then the mean over what is no padding, and only that is learned",
                "loss = ((output - target) ** 2)[mask].mean(), where mask says which places are no "
                "padding; and the score without it, too"
                if numbers
                else f"cross_entropy(…, ignore_index={padding.value:g}), or -100 as its target; "
                "and accuracy without it, too",
            )
        ],
        {} if numbers else {"classes": [int(padding.value)]},
        0,
    )


def _series(target: Tensor) -> Shaped[Tensor, "N T"] | None:
    """Targets with one class or one number for each step, without a last axis of size 1; None where
    they are no such.
    """
    if target.is_floating_point() and target.ndim == 3 and target.shape[2] == 1:
        target = target[:, :, 0]
    return target if target.ndim == 2 and target.shape[1] >= MIN_STEPS else None


def _padding(target: Shaped[Tensor, "N T"]) -> _Padding | None:
    """The padding at the ends of the rows, or at their beginnings; None where there is none."""
    found = [_filled(target, target[:, end].mode().values.item()) for end in (-1, 0)]
    return max((one for one in found if one is not None), key=lambda p: p.share, default=None)


def _filled(target: Shaped[Tensor, "N T"], value: float) -> _Padding | None:
    """The padding with this value; None where that is no padding."""
    run = _outer_runs(target == value)
    lengths = run.sum(1)
    if (
        (value < 0 and not target.is_floating_point())  # no class: left out by its number
        or int(run.sum()) < WITHIN * int((target == value).sum())
        or int((lengths > 1).sum()) < len(target) / 2
        or len(lengths.unique()) < 3
        or len(target[~run].unique()) < 2
    ):
        return None
    counted = run.numel() if target.is_floating_point() else int((target >= 0).sum())
    return _Padding(value, int(run.sum()) / counted, run)


def _outer_runs(is_value: Bool[Tensor, "N T"]) -> Bool[Tensor, "N T"]:
    """The places of a value from the beginning of a row on, and those up to its end."""
    up_to_end = is_value.flip(1).long().cumprod(1).flip(1).bool()
    return up_to_end | is_value.long().cumprod(1).bool()


def _inside(run: Bool[Tensor, "N T"]) -> Bool[Tensor, "N T"]:
    """Without the first and the last of each run: inputs and outputs may be shifted by one."""
    inside = torch.zeros_like(run)
    inside[:, 1:-1] = run[:, 1:-1] & run[:, :-2] & run[:, 2:]
    return inside


def _inputs_are_padded(case: Case, padding: _Padding) -> bool:
    """Whether the inputs at the places of padding are all the same, where inputs are sequences of
    the same length. Of others that cannot be told: classes that fill up most of the targets are
    padding there, too.
    """
    assert case.examples is not None
    alike = [
        tensor
        for tensor in tensors_of(case.examples[0]).values()
        if tensor.ndim >= 2 and tuple(tensor.shape[:2]) == tuple(padding.at.shape)
    ]
    if not alike:
        return case.task == "tokens" and padding.share >= MOST
    at = _inside(padding.at)
    return any(
        len(places := tensor.cpu()[at].flatten(1 if tensor.ndim > 2 else 0)) > 0
        and float((places == places.mode(0).values).double().mean()) >= SAME
        for tensor in alike
    )


def _share_of_gradient(case: Case, value: float) -> float | None:
    """The share of the gradient at the outputs that comes from padding, in the first look that
    shows both; None where none does.
    """
    for look in case.looks[:8]:
        output, target, gradient = look.output, look.target, look.output_gradient
        target = None if target is None else _series(target)
        if target is None or gradient is None or output is None or len(gradient) != len(target):
            continue
        sizes = _sizes(gradient, target)
        if sizes is None or not bool(sizes.isfinite().all()):
            continue
        run = _outer_runs(target == value)
        inside = _inside(run)
        if not bool(inside.any()) or not float(sizes.sum()) > 0:
            continue
        if not bool(sizes[inside].any()):
            return 0.0
        return float(sizes[run].sum() / sizes.sum())
    return None


def _sizes(
    gradient: Float[Tensor, "N ..."], target: Shaped[Tensor, "N T"]
) -> Float[Tensor, "N T"] | None:
    """How large the gradient at each position is; None where outputs are no answers to it."""
    if target.is_floating_point():
        same = gradient.numel() == target.numel()
        return gradient.double().abs().reshape(target.shape) if same else None
    axis = class_axis(tuple(gradient.shape), tuple(target.shape))
    return None if axis is None else gradient.double().abs().sum(axis)


def _rest(
    case: Case, target: Shaped[Tensor, "N T"], padding: _Padding
) -> tuple[float | None, float | None]:
    """(skill, accuracy) on the positions that are no padding; skill is 0 for the most common class
    there, 1 for all right. Of numbers both are r2.
    """
    output = case.train_outputs
    if output is None or len(output) != len(target):
        return None, None
    if target.is_floating_point():
        if output.numel() != target.numel():
            return None, None
        places = ~padding.at
        reached = r2(output.reshape(target.shape)[places], target[places])
        return reached, reached
    axis = class_axis(tuple(output.shape), tuple(target.shape))
    rest = ~padding.at & (target >= 0)
    if axis is None or not bool(rest.any()):
        return None, None
    words = target[rest].long()
    right = float((output.argmax(axis)[rest] == words).double().mean())
    common = float(torch.bincount(words).max()) / len(words)
    return (None, right) if common == 1 else ((right - common) / (1 - common), right)
