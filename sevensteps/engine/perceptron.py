"""Rosenblatt's rule for a neuron that answers 0 or 1, where no derivative helps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sevensteps.engine.engine import Engine, LossFunction
from sevensteps.engine.flat_parameters import Vectors
from sevensteps.engine.modules import Neuron, Powers, Step
from sevensteps.engine.sequence import has_hooks, named_layers
from sevensteps.errors import ArgumentError, ShapeError

# what may stand before the weighted sum: nothing that is trained or draws
BEFORE = (
    nn.Flatten,
    nn.Identity,
    Powers,
)


class PerceptronRule(Engine):
    """mean (answer - target) · x for the weights and mean (answer - target) for the bias, whose
    input is 1.

    Not the gradient of a loss: a wrong answer moves the weights by the input, a right one not at
    all. With lr = 1 and one sample a step it is the rule of 1958, which ends where a line separates
    the classes (Novikoff 1962). Source: Rosenblatt 1958, The Perceptron.
    """

    method = "perceptron_rule"

    def __init__(
        self, network: nn.Module, loss: LossFunction, reason: str = "", into: Vectors | None = None
    ) -> None:
        chain = [module for _, module in named_layers(network)]
        plain = [type(module) for module in chain]
        if (
            plain[-1:] != [Step]
            or plain[-2:-1] not in ([Neuron], [nn.Linear])
            or not set(plain[:-2]) <= set(BEFORE)
        ):
            raise ArgumentError(
                "perceptron_rule corrects one weighted sum before one step activation, not "
                f'{" -> ".join(kind.__name__ for kind in plain)}; use neuron(activation="step")'
            )
        if any(map(has_hooks, chain)):
            raise ArgumentError("perceptron_rule passes by the hooks in this network; remove them")
        super().__init__(network, loss, reason, into)
        self._before, self._sum, self._step = chain[:-2], chain[-2], chain[-1]

    def _forward(self, x: Tensor) -> Tensor:
        for module in self._before:
            x = module(x)
        self._x = x
        answer: Tensor = self._step(self._sum(x))
        return answer

    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        if target.shape != output.shape:
            raise ShapeError(
                f"perceptron_rule: answers {list(output.shape)} against targets "
                f"{list(target.shape)}; "
                "give one target of 0 or 1 per answer, [samples, answers]"
            )
        error = (output - target) * (share / len(output))
        weight = error.T @ self._x
        gradients = {"weight": weight, "bias": error.sum(0)}
        if isinstance(self._sum, Neuron) and self._sum.bias is None:
            # w0 first: its input x0 is 1
            gradients = {"weight": torch.cat([error.sum(0)[:, None], weight], 1)}
        for name, parameter in self._sum.named_parameters():
            if parameter.requires_grad and parameter.grad is not None:
                (parameter.grad.add_ if add else parameter.grad.copy_)(gradients[name])
