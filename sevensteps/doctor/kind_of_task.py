"""What targets ask of a network, and what outputs answer: read off their numbers and shapes."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64, Int, Shaped
from torch import Tensor

Shape = tuple[int, ...]
ENOUGH = 50  # samples, of which it is told how many classes were not among them
LEAST = 5  # samples of a class, of which its recall is told


def kind_of_task(target: Tensor, output: Shape | None) -> str | None:
    """The kind of task of targets [N, …] and outputs of shape `output`, where that is known.

    "binary" and "multiclass": a class a sample; "multilabel": several yes/no labels; "tokens" [N,
    T] and "dense" [N, …]: a class for each position; "regression": numbers.
    """
    columns = 1 if target.ndim == 1 else int(target.shape[-1])
    flat = target.ndim == 1 or (target.ndim == 2 and columns == 1)
    if not target.is_floating_point():
        if not flat:
            zero_one = bool(((target == 0) | (target == 1)).all())
            same = output is not None and len(output) == target.ndim
            if target.ndim == 2 and zero_one and (output is None or same):
                return "multilabel"
            return "tokens" if target.ndim == 2 else "dense"
        wide = output is not None and len(output) == 2 and output[1] > 1
        return "multiclass" if int(target.max()) > 1 or wide else "binary"
    if bool(((target == 0) | (target == 1)).all()):
        if flat:
            return "binary"
        if target.ndim > 2:
            return "dense"
        return "multiclass" if bool((target.sum(1) == 1).all()) else "multilabel"
    if _are_distributions(target) and (output is None or output[1:] == target.shape[1:]):
        return "multiclass"
    return "regression"


def _are_distributions(target: Tensor) -> bool:
    """Whether each row is a distribution over several classes."""
    if target.ndim != 2 or target.shape[1] < 2 or bool((target < 0).any()):
        return False
    return bool(((target.sum(1) - 1).abs() < 1e-2).all())


def are_signs(target: Tensor) -> bool:
    """Whether these targets [N] or [N, L] are -1 for no and 1 for yes, as a hinge loss takes
    them.
    """
    signs = bool(((target == -1) | (target == 1)).all()) and bool((target < 0).any())
    return target.ndim in (1, 2) and signs


def class_indices(target: Tensor) -> Int[Tensor, "N"]:
    """Class indices [N], from indices, from one column of them or of signs, or the likeliest of
    rows [N, C].
    """
    one_hot = target.ndim == 2 and target.shape[1] > 1
    if are_signs(target) and not one_hot:
        return (target.reshape(-1) > 0).long()
    return (target.argmax(1) if one_hot else target.reshape(-1)).long()


def class_axis(output: Shape, target: Shape) -> int | None:
    """Where in an output of shape [N, C], [N, …, C] or [N, C, …] the classes are, for targets of
    shape [N, …]; None where none of its axes can hold them.
    """
    if len(target) == 2 and target[1] == 1 and len(output) == 2:
        target = target[:1]
    if len(output) != len(target) + 1:
        return None
    # the first axis is the number of samples, which may be another one
    if output[1:-1] == target[1:]:
        return len(output) - 1
    return 1 if output[2:] == target[1:] else None


def outputs_fit(output: Shape, target: Tensor) -> bool:
    """Whether outputs of this shape can be answers to these targets: one number for each, or one
    for each class. What is as wide for another reason, such as a code, is not told apart.
    """
    if target.is_floating_point():
        return math.prod(output[1:]) == math.prod(target.shape[1:])
    axis, classes = class_axis(output, tuple(target.shape)), int(target.max()) + 1
    if math.prod(output[1:]) == 1:
        return classes <= 2
    return axis is not None and output[axis] == classes


def accuracy_of_positions(output: Tensor, target: Tensor) -> float | None:
    """The share of right classes over all positions with a target; None where outputs and targets
    do not fit, or none has.
    """
    if (judged := answered_positions(output, target)) is None:
        return None
    answers, classes = judged
    return float((answers == classes).double().mean())


def answered_positions(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor] | None:
    """The class answered at each position that has a target [K], and its class [K]; of yes and no,
    outputs beyond 0 and 1 are a yes above 0, others above 0.5. None where outputs and targets do
    not fit, or none has.
    """
    same = output.numel() == target.numel()
    zero_one = same and bool(((target == 0) | (target == 1)).all())
    if target.is_floating_point() or zero_one:
        if not zero_one:
            return None
        logits = bool(((output < 0) | (output > 1)).any())
        answer = output.reshape(target.shape) > (0.0 if logits else 0.5)
        return answer.long().flatten(), target.long().flatten()
    axis = class_axis(tuple(output.shape), tuple(target.shape))
    known = target >= 0
    if axis is None or not bool(known.any()):
        return None
    return output.argmax(axis)[known], target[known].long()


def balanced_skill(answers: Int[Tensor, "N"], classes: Int[Tensor, "N"]) -> float | None:
    """How far the mean recall of the classes is above chance, on the way to 1, less two standard
    errors. None where a class has fewer than `LEAST` samples, or there is only one.

    What counts where rare classes weigh more in the loss, or are drawn more often: accuracy falls
    as they are recognised.
    """
    names, counts = classes.unique(return_counts=True)
    if len(names) < 2 or int(counts.min()) < LEAST:
        return None
    recall = torch.stack([(answers[classes == c] == c).double().mean() for c in names])
    error = float((recall * (1 - recall) / counts).sum().sqrt()) / len(names)
    chance = 1 / len(names)
    return (float(recall.mean()) - 2 * error - chance) / (1 - chance)


def known_positions(target: Tensor) -> Int[Tensor, "K"]:
    """The classes of all positions that have one: a negative one is `ignore_index`."""
    return target[target >= 0].long()


def ignorant_entropy(target: Shaped[Tensor, "N ..."], task: str) -> float | None:
    """The cross-entropy of the best answer that ignores the input, in nats.

    Of several yes/no labels, and of each position of a mask, the mean over them.
    """
    if task == "multilabel" or (task == "dense" and target.is_floating_point()):
        share = target.double().reshape(len(target), -1).mean(0)
        if task == "dense":
            share = share.mean(0, keepdim=True)
        both = torch.special.entr(share) + torch.special.entr(1 - share)
        return float(both.mean())
    if target.is_floating_point() and target.ndim == 2 and target.shape[1] > 1:
        return float(torch.special.entr(target.double().mean(0)).sum())
    known = known_positions(target)
    if not len(known):
        return None
    return entropy_of_counts(torch.bincount(known).double())


def entropy_of_counts(counts: Float64[Tensor, "C"]) -> float:
    """The entropy in nats of what samples were counted of, with what was not seen of it: of a few
    samples of many classes, as of words, their own entropy is far too small.

    The share of what was seen is 1 - (classes seen once) / samples, after Good; a class of share p
    is seen with the chance 1 - (1 - p)ᴺ. Source: Chao, Shen 2003, Nonparametric estimation of
    Shannon's index of diversity when there are unseen species in sample.
    """
    counts = counts[counts > 0]
    samples = float(counts.sum())
    if samples < ENOUGH:
        return float(torch.special.entr(counts / samples).sum())
    once = min(float((counts == 1).sum()), samples - 1)
    share = counts / samples * (1 - once / samples)
    return float((torch.special.entr(share) / -torch.expm1(samples * torch.log1p(-share))).sum())
