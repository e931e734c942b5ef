"""Step 3, the loss: how wrong is an output? One number per sample; the mean over samples is taken
in one place, elsewhere.

Every loss stands beside its derivative with respect to the output. Where a sample has several
outputs that are judged one by one (regression, labels), its loss is their mean.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from sevensteps.arguments import number
from sevensteps.errors import ArgumentError, ShapeError
from sevensteps.head import Output
from sevensteps.notation import auto, value
from sevensteps.task import Task

__all__ = [
    "auto",
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "binary_cross_entropy",
    "cross_entropy",
    "mnist_loss",
    "negative_log_likelihood",
    "hinge",
]


# looked up once: a small network's step feels it
_log_softmax_backward = torch.ops.aten._log_softmax_backward_data.default


class Loss(ABC):
    """How wrong an output is: `loss(output, target) -> [B]`, with `derivative(output, target) ->
    [B, O]`.

    `floor` is the lowest value a sample can have; `baseline` what a network has that knows nothing
    of its input.
    """

    floor: ClassVar[float] = 0.0

    @abstractmethod
    def output(self, task: Task) -> Output:
        """The output layer, link and target coding that this loss needs for `task`; refused if it
        cannot judge the task.
        """

    @abstractmethod
    def value(
        self, output: Float[Tensor, "B O"], target: Shaped[Tensor, "B ..."]
    ) -> Float[Tensor, "B"]:
        """The loss of each sample; shapes have been checked."""

    @abstractmethod
    def derivative(
        self, output: Float[Tensor, "B O"], target: Shaped[Tensor, "B ..."]
    ) -> Float[Tensor, "B O"]:
        """d loss / d output of each sample."""

    @abstractmethod
    def baseline(self, target: Shaped[Tensor, "N ..."], size: int) -> float:
        """The mean loss over `target` of a network of `size` outputs that knows nothing of its
        inputs.
        """

    def __call__(
        self, output: Float[Tensor, "B O"], target: Shaped[Tensor, "B ..."]
    ) -> Float[Tensor, "B"]:
        """The loss of each sample. Raises `ShapeError` where output and target do not match number
        for number.
        """
        self.check(output, target)
        return self.value(output, target)

    def value_and_derivative(
        self, output: Float[Tensor, "B O"], target: Shaped[Tensor, "B ..."]
    ) -> tuple[Float[Tensor, "B"], Float[Tensor, "B O"]]:
        """The loss of each sample, and the derivative of their mean: each counts 1/B. Some losses
        share work between the two.

        The derivative is the caller's to overwrite.
        """
        return self(output, target), self.derivative(output, target).div_(output.shape[0])

    def check(self, output: Tensor, target: Tensor) -> None:
        """Refuse shapes that PyTorch would stretch to fit each other (broadcast), with both shapes
        and the fix.
        """
        if output.ndim == 2 and output.shape == target.shape:
            return
        name, shapes = (
            type(self).__name__,
            f"output {list(output.shape)} against target {list(target.shape)}",
        )
        if output.ndim == 2 and output.shape[1] == 1 and list(target.shape) == [len(output)]:
            raise ShapeError(
                f"{name}: {shapes} would be stretched to [{len(output)}, {len(output)}]; "
                "give the target a column: target[:, None]"
            )
        if (
            output.ndim == 2
            and output.shape[1] > 1
            and list(target.shape) in ([len(output)], [len(output), 1])
        ):
            raise ShapeError(
                f"{name}: {shapes}: it takes one number per output; for class indices use "
                "cross_entropy, "
                f"or torch.nn.functional.one_hot(target, {output.shape[1]}).float()"
            )
        raise ShapeError(f"{name}: {shapes}; both must be [samples, outputs]")


def _check_indices(loss: Loss, output: Tensor, target: Tensor) -> None:
    """Refuse anything but `[B, C]` with C >= 2 against `[B]` whole class indices."""
    if (
        target.dtype is torch.int64
        and output.ndim == 2
        and output.shape[1] > 1
        and target.shape == output.shape[:1]
    ):
        return
    name, shapes = (
        type(loss).__name__,
        f"output {list(output.shape)} against target {list(target.shape)}",
    )
    if output.ndim == 2 and output.shape[1] == 1:
        raise ShapeError(
            f"{name}: {shapes}: with one output there is nothing to choose from and the loss is "
            "always 0; "
            "use binary_cross_entropy, or one output per class"
        )
    if output.ndim != 2 or target.shape != output.shape[:1]:
        fix = (
            "; drop the target's column: target[:, 0]"
            if target.ndim == 2 and target.shape[1] == 1
            else ""
        )
        raise ShapeError(f"{name}: {shapes}; it takes [samples, classes] against [samples]{fix}")
    if target.is_floating_point() or target.is_complex():
        raise ShapeError(
            f"{name}: targets are {target.dtype}; it takes whole class indices: target.long()"
        )


def _positive_name(task: Task) -> str:
    """What a sigmoid near 1 answers: the second of two classes by its name; of one output among
    several, yes.
    """
    return task.classes[1] if task.kind == "binary" else "yes"


def output_per_value(
    task: Task, loss: str, link: Literal["identity", "sigmoid"], threshold: float, why: str
) -> Output:
    """Outputs judged one by one: one per value, label or class, and one for a yes/no answer."""
    if task.kind == "binary":
        return Output(
            task, 1, link, "value", f"{task.reason}: one output, {why}", threshold=threshold
        )
    if task.kind == "multiclass":
        count = len(task.classes)
        return Output(
            task,
            count,
            link,
            "one_hot",
            f"{task.reason}: {count} outputs, each judged alone by {loss}, {why}",
            threshold=threshold,
        )
    kind = "label" if task.kind == "multilabel" else "value"
    return Output(
        task,
        task.targets,
        link,
        "value",
        f"{task.reason}: one output per {kind}, {why}",
        threshold=threshold,
    )


def _needs_classes(task: Task, loss: str) -> None:
    if task.kind == "regression":
        raise ArgumentError(f"{loss} judges classes, but {task.reason}; use mean_squared_error()")


def _one_of_many(task: Task, loss: str) -> None:
    _needs_classes(task, loss)
    if task.kind == "multilabel":
        raise ArgumentError(
            f"{loss} picks one class, but {task.reason}; use binary_cross_entropy()"
        )


@value
class mean_squared_error(Loss):
    """(o - t)²: squared distance to the target, the usual loss for a number to predict

    d/do = 2 (o - t); with several outputs, both are divided by their count.
    Source: Gauss 1809; Goodfellow, Bengio, Courville, Deep Learning (2016), ch. 5.1.4.
    """

    def output(self, task: Task) -> Output:
        return output_per_value(task, "mean_squared_error", "identity", 0.5, "read as it is")

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(-1)

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target) * (2 / output.shape[-1])

    def baseline(self, target: Tensor, size: int) -> float:
        return float((target - target.mean(0)).square().mean())


@value
class mean_absolute_error(Loss):
    """|o - t|: distance to the target; large errors weigh less than squared

    d/do = sign(o - t), 0 where they are equal; with several outputs, both are divided by their
    count. Source: Laplace 1774; Hastie, Tibshirani, Friedman, Elements of Statistical Learning, ch.
    10.6.
    """

    def output(self, task: Task) -> Output:
        return output_per_value(task, "mean_absolute_error", "identity", 0.5, "read as it is")

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).abs().mean(-1)

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).sign() / output.shape[-1]

    def baseline(self, target: Tensor, size: int) -> float:
        return float((target - target.median(0).values).abs().mean())


@value
class huber(Loss):
    """½(o - t)² within delta of the target, delta(|o - t| - ½delta) beyond: squared near, absolute
    far

    d/do = o - t, held within ±delta; with several outputs, both are divided by their count.
    Source: Huber 1964, Robust Estimation of a Location Parameter.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        number("delta", self.delta, above=0)

    def output(self, task: Task) -> Output:
        return output_per_value(task, "huber", "identity", 0.5, "read as it is")

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(output, target, reduction="none", delta=self.delta).mean(-1)

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).clamp(-self.delta, self.delta) / output.shape[-1]

    def baseline(self, target: Tensor, size: int) -> float:
        return float(self.value(target.mean(0).expand_as(target), target).mean())


@value
class binary_cross_entropy(Loss):
    """-log of the probability given to the truth, sigmoid(o) for yes: two classes, or yes/no
    labels; from logits

    log(1 + exp(o)) - t o, computed without overflow; d/do = sigmoid(o) - t; several outputs: both
    divided by their count. Source: Good 1952; Goodfellow, Bengio, Courville, Deep Learning (2016),
    ch. 6.2.2.2.
    """

    def output(self, task: Task) -> Output:
        _needs_classes(task, "binary_cross_entropy")
        return output_per_value(
            task,
            "binary_cross_entropy",
            "sigmoid",
            0.0,
            f"its sigmoid is the probability of {_positive_name(task)}",
        )

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            output, target.to(output.dtype), reduction="none"
        ).mean(-1)

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.sigmoid() - target) / output.shape[-1]

    def baseline(self, target: Tensor, size: int) -> float:
        return math.log(2)


FEW_CLASSES = 64  # so many, and log_softmax over the first axis is ten times as fast


@value
class cross_entropy(Loss):
    """-log softmax(o)[t]: minus the log of the probability given to the right class, from logits

    log(sum_j exp(o_j)) - o_t; d/do = softmax(o) - one_hot(t): the other columns act through the
    softmax. Source: Bridle 1990; Goodfellow, Bengio, Courville, Deep Learning (2016), ch. 6.2.2.3.
    """

    def output(self, task: Task) -> Output:
        _one_of_many(task, "cross_entropy")
        count = len(task.classes)
        return Output(
            task,
            count,
            "softmax",
            "index",
            f"{task.reason}: {count} outputs, their softmax is the probability of each",
        )

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        if output.requires_grad or output.shape[1] > FEW_CLASSES:
            return F.cross_entropy(output, target, reduction="none")
        logs = output.T.contiguous().log_softmax(0)  # as below: over the first axis
        return logs.gather(0, target[None]).neg_()[0]

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        return output.softmax(-1) - F.one_hot(target, output.shape[-1])

    def value_and_derivative(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        self.check(output, target)
        # over the first axis it is ten times as fast for few classes
        logs, target = (
            output.T.contiguous().log_softmax(0),
            target[None],
        )
        losses = logs.gather(0, target).neg_()[0]
        g = torch.zeros_like(logs).scatter_(0, target, -1 / output.shape[0])
        slope = _log_softmax_backward(g, logs, 0, logs.dtype)  # g - exp(logs) Σ g, and Σ g = -1/B
        return losses, slope.T

    def baseline(self, target: Tensor, size: int) -> float:
        return math.log(size)

    def check(self, output: Tensor, target: Tensor) -> None:
        _check_indices(self, output, target)


@value
class mnist_loss(Loss):
    """1 - p for a yes, p for a no, with p = sigmoid(o): the book's loss for 3 against 7

    d/do = ∓p(1 - p), which dies where the sigmoid is saturated; several outputs: both divided by
    their count. Source: Howard, Gugger, Deep Learning for Coders (fastbook), ch. 4.
    """

    def output(self, task: Task) -> Output:
        _needs_classes(task, "mnist_loss")
        return output_per_value(
            task,
            "mnist_loss",
            "sigmoid",
            0.0,
            f"its sigmoid is read as the probability of {_positive_name(task)}",
        )

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        p = output.sigmoid()
        return torch.where(target == 1, 1 - p, p).mean(-1)

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        p = output.sigmoid()
        slope = p * (1 - p)
        return torch.where(target == 1, -slope, slope) / output.shape[-1]

    def baseline(self, target: Tensor, size: int) -> float:
        return 0.5


@value
class negative_log_likelihood(Loss):
    """-o[t], where o are log-probabilities: closes the network with log_softmax, then equals
    cross_entropy

    d/do = -1 in the right column, 0 elsewhere. Given probabilities instead of their logs it lies
    between -1 and 0. Source: Fisher 1922; torch.nn.NLLLoss.
    """

    def output(self, task: Task) -> Output:
        _one_of_many(task, "negative_log_likelihood")
        count = len(task.classes)
        return Output(
            task,
            count,
            "exp",
            "index",
            f"{task.reason}: {count} outputs through log_softmax, the log-probability of each",
            layer="log_softmax",
        )

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        return -output.gather(-1, target[:, None])[:, 0]

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        return -F.one_hot(target, output.shape[-1]).to(output.dtype)

    def baseline(self, target: Tensor, size: int) -> float:
        return math.log(size)

    def check(self, output: Tensor, target: Tensor) -> None:
        _check_indices(self, output, target)


@value
class hinge(Loss):
    """max(0, 1 - s o) with s = ±1 for yes/no: right is not enough, it must be right by a margin of
    1

    Each class of many is judged alone, against all others. d/do = -s where s o < 1, else 0; several
    outputs: both divided by their count. Source: Cortes, Vapnik 1995, Support-Vector Networks.
    """

    def output(self, task: Task) -> Output:
        _needs_classes(task, "hinge")
        return output_per_value(task, "hinge", "identity", 0.0, "a score whose sign is the answer")

    def value(self, output: Tensor, target: Tensor) -> Tensor:
        return (1 - (2 * target - 1) * output).clamp_min(0).mean(-1)

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        sign = (2 * target - 1).to(output.dtype)
        return torch.where(sign * output < 1, -sign, torch.zeros_like(sign)) / output.shape[-1]

    def baseline(self, target: Tensor, size: int) -> float:
        return 1.0


def choose(task: Task, answers_0_or_1: bool, **options: Any) -> tuple[Loss, str]:
    """What `auto()` takes for `task`, and why; a network that itself answers 0 or 1 (a perceptron)
    has no probability to judge.
    """
    if answers_0_or_1:
        return mean_absolute_error(
            **options
        ), "the answers are 0 or 1: their mean distance to the targets is the share of wrong ones"
    if task.kind == "regression":
        return mean_squared_error(**options), f"{task.reason}: the squared distance to it"
    if task.kind == "multiclass":
        return cross_entropy(
            **options
        ), f"{task.reason}: minus the log of the probability given to the right one"
    return binary_cross_entropy(
        **options
    ), f"{task.reason}: minus the log of the probability given to the true answer"
