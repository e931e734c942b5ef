"""The gradient without any derivative: move one parameter a little up and down, and see how the
loss changes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sevensteps.arguments import number
from sevensteps.engine.engine import Engine, LossFunction, refuse_step
from sevensteps.engine.flat_parameters import Vectors
from sevensteps.errors import ArgumentError

LIMIT = 20_000  # parameters; each costs two forward passes


class FiniteDifferences(Engine):
    """(L(p + h) - L(p - h)) / 2h for each parameter p, with h = epsilon · max(1, |p|): central
    differences, exact up to h².

    They are taken in float64, whatever the network computes in: in float32 the difference of two
    nearly equal losses would keep few correct digits. Every evaluation has the dropout masks and
    batch-norm buffers that `predict` had, and leaves both unmoved. A network that insists on
    float32 inside is refused. Source: Goodfellow, Bengio, Courville, Deep Learning (2016), ch.
    11.5.
    """

    method = "finite_differences"

    def __init__(
        self,
        network: nn.Module,
        loss: LossFunction,
        epsilon: float = 1e-6,
        reason: str = "",
        into: Vectors | None = None,
    ) -> None:
        refuse_step(network, self.method)
        self.epsilon = number("epsilon", epsilon, above=0, at_most=0.1)
        count = sum(p.numel() for p in network.parameters() if p.requires_grad)
        if count > LIMIT:
            raise ArgumentError(
                f"finite_differences needs two forward passes for each of {count:,} parameters, "
                "and takes at "
                f"most {LIMIT:,}; use autograd()"
            )
        super().__init__(network, loss, reason, into)

    def _forward(self, x: Tensor) -> Tensor:
        self._x = x
        self._buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        before = [(generator, generator.get_state()) for generator in _generators(self.network)]
        output: Tensor = self.network(x)
        # What the forward drew from is what every evaluation has to draw again.
        self._drawn = [
            (generator, state)
            for generator, state in before
            if not torch.equal(state, generator.get_state())
        ]
        return output

    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        now = [(generator, generator.get_state()) for generator, _ in self._drawn]
        point = self.parameters.to(torch.float64, copy=True)
        mean_loss = self._mean_loss(point, target)
        slopes = torch.empty_like(point)
        try:
            for index, middle in enumerate(point.tolist()):
                h = self.epsilon * max(1.0, abs(middle))
                up, down = middle + h, middle - h
                point[index] = up
                above = mean_loss()
                point[index] = down
                slopes[index] = (above - mean_loss()) / (up - down)
                point[index] = middle
        finally:
            for generator, state in now:
                generator.set_state(state)
        slopes *= share
        if add:
            self.gradients += slopes
        else:
            self.gradients.copy_(slopes)

    def _mean_loss(self, point: Tensor, target: Tensor) -> Callable[[], float]:
        """The mean loss of the last batch as a function of the float64 parameters that `point`
        holds when it is called.
        """
        network = self.network
        start = {name: _double(buffer) for name, buffer in self._buffers.items()}
        buffers = {name: buffer.clone() for name, buffer in start.items()}
        tensors = {
            name: _double(p) for name, p in network.named_parameters() if name not in self.slices
        } | buffers
        tensors |= {name: point[place].view(shape) for name, (place, shape) in self.slices.items()}
        x, target = self._x.double(), _double(target)

        def evaluate() -> float:
            for generator, state in self._drawn:
                generator.set_state(state)
            for name, buffer in buffers.items():
                buffer.copy_(start[name])
            try:
                output = functional_call(network, tensors, (x,))
            except RuntimeError as failure:
                raise ArgumentError(
                    "finite_differences computes in float64, where this network fails "
                    f"({failure}); let it "
                    "compute in the type of its inputs, or use autograd()"
                ) from failure
            if output.dtype != torch.float64:
                raise ArgumentError(
                    "finite_differences computes in float64, but this network answers in "
                    f"{output.dtype}, too "
                    "coarse for differences; let it keep the type of its inputs, or use autograd()"
                )
            return float(self.loss_function(output, target).mean())

        return evaluate


def _generators(network: nn.Module) -> list[torch.Generator]:
    """Every generator that a forward may draw from: those its modules hold, and PyTorch's global
    ones for modules not ours.
    """
    generators = {
        id(g): g
        for module in network.modules()
        for g in vars(module).values()
        if isinstance(g, torch.Generator)
    }
    return [*generators.values(), torch.default_generator, *torch.cuda.default_generators]


def _double(tensor: Tensor) -> Tensor:
    return tensor.detach().double() if tensor.is_floating_point() else tensor.detach()
