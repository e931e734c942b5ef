"""Which metric judges a network, which of two values is better, and how both are computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sevensteps.errors import ShapeError

if TYPE_CHECKING:  # `sevensteps runs` asks which metric is shown, and must not wait for torch
    from jaxtyping import Float, Shaped
    from torch import Tensor

    from sevensteps.head import Output
    from sevensteps.task import Kind

LOWER_IS_BETTER = {"loss": True, "accuracy": False, "r2": False}  # every metric of the package
PREFERRED = ("accuracy", "r2", "loss")  # the first that there is judges a network


def primary(values: Mapping[str, Any]) -> str:
    """The name of the metric in `values` that judges a network: accuracy, r2, or else the loss."""
    return next(name for name in PREFERRED if name in values)


def metric_of(kind: Kind) -> str:
    """The metric beside the loss of a kind of task: "r2" for a regression, else "accuracy"."""
    return "r2" if kind == "regression" else "accuracy"


def merit(name: str, value: float) -> float:
    """The value of metric `name` with its sign such that more is better; nan is worse than all."""
    return -math.inf if math.isnan(value) else -value if LOWER_IS_BETTER[name] else value


def score(values: Mapping[str, Any]) -> tuple[float, float]:
    """What networks are ordered by, more is better: the primary metric, and between equals the
    loss. `values` are metrics by name, as in `row["valid"]` of a history.
    """
    name = primary(values)
    return merit(name, values[name]), merit("loss", values["loss"])


def better(values: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Whether a network with the metrics `values` is better than one with `others`."""
    return score(values) > score(others)


def compute_metrics(
    output: Output,
    outputs: Float[Tensor, "N O"],
    target: Shaped[Tensor, "N ..."],
    answers: Shaped[Tensor, "N ..."] | None = None,
) -> dict[str, float]:
    """The task's own metric over all samples, by name: `accuracy` (a share of samples; of labels
    for multilabel) or `r2` (nan where the targets do not vary). `answers` are what `output.decide`
    gives, where that is known. Raises `ShapeError` where outputs and targets differ in number.
    """
    if len(outputs) != len(target):
        raise ShapeError(
            f"{len(outputs)} outputs against {len(target)} targets; evaluate them on the same "
            "samples"
        )
    if output.task.kind == "regression":
        explained = r2(output.predict(outputs), target)
        return {"r2": math.nan if explained is None else explained}
    answers = output.decide(outputs) if answers is None else answers
    return {"accuracy": accuracy(answers, target)}


def accuracy(answers: Shaped[Tensor, "N ..."], target: Shaped[Tensor, "N ..."]) -> float:
    """The share of answers that are right; of labels, where each sample has several."""
    return float((answers == target.reshape(answers.shape)).double().mean())


def r2(predictions: Float[Tensor, "N ..."], target: Shaped[Tensor, "N ..."]) -> float | None:
    """r2 = 1 - sum((t - p)^2) / sum((t - mean t)^2), summed over all outputs; None where the
    targets do not vary.
    """
    variation = (target - target.mean(0)).double().square().sum()
    residual = (target - predictions).double().square().sum()
    return float(1 - residual / variation) if variation > 0 else None


def accuracy_by_class(
    output: Output,
    outputs: Float[Tensor, "N O"],
    target: Shaped[Tensor, "N ..."],
    answers: Shaped[Tensor, "N ..."] | None = None,
) -> dict[str, float]:
    """The recall of each class that has samples, by its name; empty for a regression and for
    multilabel. `answers` are what `output.decide` gives, where that is known.
    """
    if output.task.kind not in ("binary", "multiclass"):
        return {}
    answers, labels = output.decide(outputs) if answers is None else answers, target.reshape(-1)
    labels, classes = labels.long(), output.task.classes
    samples = labels.bincount(minlength=len(classes)).tolist()
    right = labels[answers == labels].bincount(minlength=len(classes)).tolist()
    return {
        name: right[index] / samples[index] for index, name in enumerate(classes) if samples[index]
    }


def baseline(kind: Kind, target: Shaped[Tensor, "N ..."]) -> float:
    """The accuracy or r2 of the best answer that does not look at its input: the share of the
    largest class, or r2 = 0.
    """
    if kind == "regression":
        return 0.0
    if kind == "multilabel":
        share = target.double().mean(0)
        return float(share.maximum(1 - share).mean())
    return float(target.reshape(-1).long().bincount().max() / len(target))
