"""How good outputs are: accuracy or r2, by class too, and what an answer that ignores its input
reaches.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from sevensteps.errors import ShapeError
from sevensteps.head import Output
from sevensteps.task import Task


def metrics(
    output: Output, outputs: Float[Tensor, "N O"], target: Shaped[Tensor, "N ..."]
) -> dict[str, float]:
    """The task's own measure over all samples: `accuracy` (a share of samples; of labels for
    multilabel) or `r2`.

    r2 = 1 - sum((t - o)^2) / sum((t - mean t)^2), summed over all outputs; it is nan where the
    targets do not vary."""
    if len(outputs) != len(target):
        raise ShapeError(
            f"{len(outputs)} outputs against {len(target)} targets; evaluate them on the same "
            "samples"
        )
    if output.task.kind == "regression":
        spread = (target - target.mean(0)).double().square().sum()
        left = (target - output.predict(outputs)).double().square().sum()
        return {"r2": float(1 - left / spread) if spread > 0 else float("nan")}
    answers = output.decide(outputs)
    return {"accuracy": float((answers == target.reshape(answers.shape)).double().mean())}


def ignorant(task: Task, target: Shaped[Tensor, "N ..."]) -> float:
    """The measure of `metrics` for the best answer that does not look at its input: the share of
    the largest class, or r2 = 0.
    """
    if task.kind == "regression":
        return 0.0
    if task.kind == "multilabel":
        share = target.double().mean(0)
        return float(torch.maximum(share, 1 - share).mean())
    return float(torch.bincount(target.reshape(-1).long()).max() / len(target))


def accuracy_by_class(
    output: Output, outputs: Float[Tensor, "N O"], target: Shaped[Tensor, "N ..."]
) -> dict[str, float]:
    """For one-of-many answers: the share answered right among the samples of each class (its
    recall).
    """
    if output.task.kind not in ("binary", "multiclass"):
        return {}
    answers, truth = output.decide(outputs), target.reshape(-1).long()
    right = {}
    for index, name in enumerate(output.task.classes):
        of_class = truth == index
        if of_class.any():
            right[name] = float((answers[of_class] == index).double().mean())
    return right
