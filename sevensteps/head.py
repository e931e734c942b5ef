"""The head of a network: how targets are coded for its loss, and how its outputs are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from sevensteps.task import Task


def _unchanged(values: Tensor) -> Tensor:
    return values


def _numbers(values: Float[Tensor, "N T"]) -> list[Any]:
    return [row[0] if len(row) == 1 else tuple(row) for row in values.tolist()]


@dataclass(frozen=True)
class Output:
    """The output layer that a task and a loss ask for, and how to read it.

    `size` numbers per sample; `layer` is what closes the network (`identity` or `log_softmax`);
    `link` turns an output into a prediction; `threshold` is where an output of a yes/no answer
    changes from no to yes; `coding` is how targets are handed to the loss (`value`, `index`, or
    `one_hot` class indicators).
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
        """The output through its link: probabilities for a classifier, the value itself for a
        regression.
        """
        if self.link == "sigmoid":
            return output.sigmoid()
        if self.link == "softmax":
            return output.softmax(-1)
        return output.exp() if self.link == "exp" else output

    def decide(self, output: Float[Tensor, "B O"]) -> Int[Tensor, "B"] | Int[Tensor, "B L"]:
        """A class index per sample, or 0/1 per label for multilabel. Not for a regression."""
        if self.task.kind == "multilabel":
            return (output > self.threshold).long()
        return (output[:, 0] > self.threshold).long() if self.size == 1 else output.argmax(-1)

    def decode(
        self, outputs: Float[Tensor, "N O"], unscale: Callable[[Tensor], Tensor] = _unchanged
    ) -> list[Any]:
        """The answers that raw outputs give, one a sample: a class name; for multilabel a tuple of
        the names of its labels; for a regression a number, or a tuple of several, in raw units.

        `unscale` turns predictions of scaled targets into raw units.
        """
        if self.task.kind == "regression":
            return _numbers(unscale(self.predict(outputs)))
        return self._names(self.decide(outputs))

    def decode_target(
        self, target: Shaped[Tensor, "N ..."], unscale: Callable[[Tensor], Tensor] = _unchanged
    ) -> list[Any]:
        """The right answers that stored targets stand for, in the form of `decode`."""
        if self.task.kind == "regression":
            return _numbers(unscale(target))
        return self._names(target if self.task.kind == "multilabel" else target.reshape(-1).long())

    def _names(self, decided: Shaped[Tensor, "N ..."]) -> list[Any]:
        classes = self.task.classes
        if self.task.kind == "multilabel":
            return [
                tuple(name for name, on in zip(classes, row, strict=True) if on)
                for row in decided.tolist()
            ]
        return [classes[index] for index in decided.tolist()]

    def prior(self, target: Shaped[Tensor, "N ..."]) -> Float[Tensor, "O"]:
        """The output that gives the share of each class, or the mean target, whatever the input is.

        A share p becomes log(p/(1-p)) for a sigmoid and log p for a softmax. Source: Lin et al.
        2017, Focal Loss, section 4.1.
        """
        coded = self.encode(target)
        if self.coding == "index":
            counts = torch.bincount(coded, minlength=self.size).to(torch.get_default_dtype())
            return (counts / len(coded)).clamp_min(0.5 / len(coded)).log()
        mean = coded.mean(0)
        if self.link == "sigmoid":
            return mean.clamp(0.5 / len(coded), 1 - 0.5 / len(coded)).logit()
        if self.task.kind != "regression" and self.threshold == 0:  # a score for ±1, as of hinge
            return 2 * mean - 1
        return mean
