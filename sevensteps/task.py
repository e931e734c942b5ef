"""Regression, binary, multiclass or multilabel: read off the targets, with the reason; and what an output layer must then be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from sevensteps.errors import DataError, ShapeError

Kind = Literal["regression", "binary", "multiclass", "multilabel"]


@dataclass(frozen=True)
class Task:
    """What is asked of the network.

    `targets` is the number of columns a target has as stored: 1 for binary and multiclass. `classes` are the names of
    the answers, empty for regression. Targets are stored as `[N, targets]` float (regression, multilabel), `[N, 1]` float of 0
    and 1 (binary), or `[N]` int64 class indices (multiclass).
    """

    kind: Kind
    targets: int
    classes: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Output:
    """The output layer that a task and a loss ask for, and how to read it.

    `size` numbers per sample; `layer` is what closes the network (`identity` or `log_softmax`); `link` turns an output into
    a prediction; `threshold` is where an output of a yes/no answer changes from no to yes; `coding` is how targets are
    handed to the loss (`value`, `index`, or `one_hot` class indicators).
    """

    task: Task
    size: int
    link: Literal["identity", "sigmoid", "softmax", "exp"]
    coding: Literal["value", "index", "one_hot"]
    reason: str
    layer: Literal["identity", "log_softmax"] = "identity"
    threshold: float = 0.0

    def encode(self, target: Shaped[Tensor, "B ..."]) -> Shaped[Tensor, "B ..."]:
        """Stored targets as this loss takes them: `[B]` indices, or `[B, size]` numbers."""
        if self.coding == "index":
            return target.reshape(len(target)).long()
        if self.coding == "one_hot":
            return torch.nn.functional.one_hot(target, self.size).to(torch.get_default_dtype())
        return target

    def predict(self, output: Float[Tensor, "B O"]) -> Float[Tensor, "B O"]:
        """The output through its link: probabilities for a classifier, the value itself for a regression."""
        if self.link == "sigmoid":
            return output.sigmoid()
        if self.link == "softmax":
            return output.softmax(-1)
        return output.exp() if self.link == "exp" else output

    def decide(self, output: Float[Tensor, "B O"]) -> Int[Tensor, "B"] | Int[Tensor, "B L"]:
        """The answer: a class index per sample, or 0/1 per label for multilabel. Meaningless for regression."""
        if self.task.kind == "multilabel":
            return (output > self.threshold).long()
        return (output[:, 0] > self.threshold).long() if self.size == 1 else output.argmax(-1)

    def prior(self, target: Shaped[Tensor, "N ..."]) -> Float[Tensor, "O"]:
        """The output that gives the share of each class, or the mean target, whatever the input is.

        A share p becomes log(p/(1-p)) for a sigmoid and log p for a softmax. Source: Lin et al. 2017, Focal Loss, section 4.1.
        """
        coded = self.encode(target)
        if self.coding == "index":
            shares = torch.bincount(coded, minlength=self.size).to(torch.get_default_dtype()) / len(coded)
            return shares.clamp_min(0.5 / len(coded)).log()
        mean = coded.mean(0)
        if self.link == "sigmoid":
            return mean.clamp(0.5 / len(coded), 1 - 0.5 / len(coded)).logit()
        scored = self.task.kind != "regression" and self.threshold == 0  # a score for ±1, as of hinge
        return 2 * mean - 1 if scored else mean


def task_of(target: Tensor, classes: tuple[str, ...] = ()) -> Task:
    """The task that `target` describes.

    Whole numbers are classes; fractions are values to regress on; several columns of only 0 and 1 are labels that can hold
    together. Raises `DataError` where there is nothing to tell apart.
    """
    if target.ndim == 0 or target.ndim > 2 or len(target) == 0:
        raise DataError(f"targets have shape {list(target.shape)}; give one row per sample: [N] or [N, columns]")
    columns = 1 if target.ndim == 1 else target.shape[1]
    if columns == 0:
        raise DataError(f"targets have shape {list(target.shape)}: no column; give at least one number per sample")
    zero_one = bool(((target == 0) | (target == 1)).all())
    if (not target.is_floating_point() and columns == 1) or (columns == 1 and zero_one):
        found = classes or tuple(str(int(c)) for c in torch.unique(target).tolist())
        if len(found) < 2:
            raise DataError(f"all targets are {found[0]}: one class only; a classifier needs samples of at least two")
        if len(found) == 2:
            return Task("binary", 1, found, f"the targets are two classes, {found[0]} and {found[1]}")
        return Task("multiclass", 1, found, f"the targets are {len(found)} classes")
    if zero_one:
        names = classes or tuple(str(i) for i in range(columns))
        return Task("multilabel", columns, names, f"each target has {columns} yes/no labels")
    numbers = "a number" if columns == 1 else f"{columns} numbers"
    return Task("regression", columns, (), f"each target is {numbers}")


def metrics(output: Output, outputs: Float[Tensor, "N O"], target: Shaped[Tensor, "N ..."]) -> dict[str, float]:
    """The task's own measure over all samples: `accuracy` (a share of samples; of labels for multilabel) or `r2`.

    r2 = 1 - sum((t - o)^2) / sum((t - mean t)^2), summed over all outputs; it is nan where the targets do not vary.
    """
    if len(outputs) != len(target):
        raise ShapeError(f"{len(outputs)} outputs against {len(target)} targets; evaluate them on the same samples")
    if output.task.kind == "regression":
        spread = (target - target.mean(0)).double().square().sum()
        left = (target - output.predict(outputs)).double().square().sum()
        return {"r2": float(1 - left / spread) if spread > 0 else float("nan")}
    answers = output.decide(outputs)
    return {"accuracy": float((answers == target.reshape(answers.shape)).double().mean())}


def ignorant(task: Task, target: Shaped[Tensor, "N ..."]) -> float:
    """The measure of `metrics` for the best answer that does not look at its input: the share of the largest class, or r2 = 0."""
    if task.kind == "regression":
        return 0.0
    if task.kind == "multilabel":
        share = target.double().mean(0)
        return float(torch.maximum(share, 1 - share).mean())
    return float(torch.bincount(target.reshape(-1).long()).max() / len(target))


def accuracy_by_class(output: Output, outputs: Float[Tensor, "N O"], target: Shaped[Tensor, "N ..."]) -> dict[str, float]:
    """For one-of-many answers: the share answered right among the samples of each class (its recall)."""
    if output.task.kind not in ("binary", "multiclass"):
        return {}
    answers, truth = output.decide(outputs), target.reshape(-1).long()
    right = {}
    for index, name in enumerate(output.task.classes):
        of_class = truth == index
        if of_class.any():
            right[name] = float((answers[of_class] == index).double().mean())
    return right
