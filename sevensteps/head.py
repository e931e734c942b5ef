"""The output layer that a task and a loss ask for, and how its outputs are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from sevensteps.task import Task


@dataclass(frozen=True)
class Output:
    """The output layer that a task and a loss ask for, and how to read it.

    `size` numbers per sample; `layer` is what closes the network (`identity` or `log_softmax`);
    `link` turns an output into a prediction; `threshold` is where an output of a yes/no answer
    changes from no to yes; `coding` is how targets are handed to the loss (`value`, `index`, or
    `one_hot` class indicators)."""

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
        """The answer: a class index per sample, or 0/1 per label for multilabel. Meaningless for
        regression.
        """
        if self.task.kind == "multilabel":
            return (output > self.threshold).long()
        return (output[:, 0] > self.threshold).long() if self.size == 1 else output.argmax(-1)

    def prior(self, target: Shaped[Tensor, "N ..."]) -> Float[Tensor, "O"]:
        """The output that gives the share of each class, or the mean target, whatever the input is.

        A share p becomes log(p/(1-p)) for a sigmoid and log p for a softmax. Source: Lin et al.
        2017, Focal Loss, section 4.1."""
        coded = self.encode(target)
        if self.coding == "index":
            shares = torch.bincount(coded, minlength=self.size).to(torch.get_default_dtype()) / len(
                coded
            )
            return shares.clamp_min(0.5 / len(coded)).log()
        mean = coded.mean(0)
        if self.link == "sigmoid":
            return mean.clamp(0.5 / len(coded), 1 - 0.5 / len(coded)).logit()
        scored = (
            self.task.kind != "regression" and self.threshold == 0
        )  # a score for ±1, as of hinge
        return 2 * mean - 1 if scored else mean
