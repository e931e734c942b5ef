"""The gradient by the chain rule, layer by layer, with the derivatives written in layers.py."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from sevensteps.engine import layers as written
from sevensteps.engine.activations import ReLU, activation_of
from sevensteps.engine.engine import Engine, LayerTrace, LossFunction, refuse_step
from sevensteps.engine.flat_parameters import Vectors
from sevensteps.engine.layer import Layer
from sevensteps.engine.modules import Bins, Dropout, Neuron, Powers
from sevensteps.engine.precision import with_casts
from sevensteps.engine.sequence import has_hooks, named_layers
from sevensteps.errors import ArgumentError

LAYERS: dict[type[nn.Module], type[Layer]] = {
    nn.Linear: written.Linear,
    Neuron: written.Linear,
    nn.Conv2d: written.Conv2d,
    Powers: written.PowersLayer,
    Bins: written.BinsLayer,
    nn.Flatten: written.Flatten,
    Dropout: written.DropoutMask,
    nn.MaxPool2d: written.MaxPool2d,
    nn.AvgPool2d: written.AvgPool2d,
    nn.AdaptiveAvgPool2d: written.AdaptiveAvgPool2d,
    nn.BatchNorm1d: written.BatchNorm,
    nn.BatchNorm2d: written.BatchNorm,
}
"""The modules whose derivative is written, exactly these (activations have a table of their own): a
subclass may compute something else."""


def written_layer(module: nn.Module) -> type[Layer] | None:
    """The class with the derivative of exactly this module's class; None where none is written."""
    activation = activation_of(module)
    return LAYERS.get(type(module)) if activation is None else activation.layer


def with_derivative(module: nn.Module) -> Layer:
    """`module` as a link of the chain rule; it must have a written derivative (see `missing`)."""
    layer = written_layer(module)
    if layer is None:
        raise ArgumentError(f"{type(module).__name__} has no written derivative")
    return layer(module)


def missing(network: nn.Module) -> str | None:
    """Why the chain rule cannot be written down for `network`, naming the layer; None where it can.

    >>> missing(nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Mish()))
    '2 (Mish) has no written derivative'
    """
    owners: dict[int, str] = {}  # whose parameter each is, by identity
    for name, module in named_layers(network):
        layer = f"{name} ({type(module).__name__})"
        derivative = written_layer(module)
        if derivative is None:
            fix = (
                ": it draws from PyTorch's global generator"
                if isinstance(module, nn.Dropout)
                else ""
            )
            return f"{layer} has no written derivative{fix}"
        if has_hooks(module):
            return f"{layer} has hooks or a forward of its own, which the chain rule would pass by"
        refusal = derivative.refusal(module)
        if refusal:
            return f"{layer} has no written derivative: {refusal}"
        for part, parameter in module.named_parameters(recurse=False):
            if owner := owners.get(id(parameter)):
                return (
                    f"{layer} shares its {part} with {owner}: their gradients would have to be "
                    "added up"
                )
            if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
                return f"{layer} has a hook on its {part}, which the chain rule would pass by"
            owners[id(parameter)] = name
    return None


class ChainRule(Engine):
    """dL/d(parameters) of every layer from the last to the first, each handing dL/d(its input) to
    the layer before it.

    Source: Leibniz 1676; Rumelhart, Hinton, Williams 1986, Learning representations by
    back-propagating errors.
    """

    method = "chain_rule"

    def __init__(
        self, network: nn.Module, loss: LossFunction, reason: str = "", into: Vectors | None = None
    ) -> None:
        refuse_step(network, self.method)
        lacking = missing(network)
        if lacking:
            raise ArgumentError(f"chain_rule: {lacking}; use autograd()")
        super().__init__(network, loss, reason, into)
        self.names = [name for name, _ in named_layers(network)]
        self.layers = [with_derivative(module) for _, module in named_layers(network)]
        for layer, after in itertools.pairwise(self.layers):
            if isinstance(layer, written.Linear) and isinstance(after, ReLU):
                layer.fused_relu = after.fused = True
        self.first = self._first_trained()
        self.low: Tensor | None = (
            # the parameters as the layers multiply by them, where that is not as they are kept
            None
        )
        self.frozen: list[
            tuple[Tensor, Tensor]
        ] = []  # the same for what is not trained: (copy, parameter)

    def _first_trained(self) -> int:
        """Nothing before the first layer that is trained needs a gradient, nor does that layer's
        own input.
        """
        return next((i for i, layer in enumerate(self.layers) if layer.grads), len(self.layers))

    def multiply_in(self, dtype: torch.dtype) -> None:
        self.low = torch.empty_like(self.parameters, dtype=dtype)
        trained = dict(self.network.named_parameters())
        views = {
            id(trained[name]): self.low[place].view(shape)
            for name, (place, shape) in self.slices.items()
        }
        for layer in self.layers:
            for name, parameter in (
                layer.module.named_parameters(recurse=False) if layer.multiplies else ()
            ):
                if id(parameter) not in views:
                    views[id(parameter)] = torch.empty_like(
                        parameter, dtype=dtype, requires_grad=False
                    )
                    self.frozen.append((views[id(parameter)], parameter))
                setattr(layer, name, views[id(parameter)])
        chain = list(
            with_casts(
                list(zip(self.names, self.layers, strict=True)), dtype, self.parameters.dtype
            )
        )
        self.names, self.layers = [name for name, _ in chain], [layer for _, layer in chain]
        self.first = self._first_trained()

    def _sample_losses(self, output: Tensor, target: Tensor) -> Tensor:
        losses, self._slope = self.loss_function.value_and_derivative(output, target)
        return losses

    def _forward(self, x: Tensor) -> Tensor:
        if self.low is not None:
            self.low.copy_(self.parameters)
            for copy, parameter in self.frozen:
                copy.copy_(parameter)
        if self.trace is not None:
            return self._forward_traced(x, self.trace)
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        g = self._slope if share == 1 else self._slope.mul_(share)
        if self.trace is not None:
            self.trace.output_gradient = g.clone()
        for index in range(len(self.layers) - 1, self.first - 1, -1):
            if self.trace is not None and self.names[index]:
                # the layer may overwrite it
                self.trace.output_gradients[self.names[index]] = g.to(
                    self.parameters.dtype, copy=True
                )
            self.layers[index].write_gradients(g, add)
            if index > self.first:
                g = self.layers[index].backward(g)

    def _forward_traced(self, x: Tensor, trace: LayerTrace) -> Tensor:
        """`_forward`, with every layer's output remembered; that of a layer whose ReLU
        is done by it is the ReLU's.
        """
        for name, layer in zip(self.names, self.layers, strict=True):
            x = layer.forward(x)
            if name and not (isinstance(layer, written.Linear) and layer.fused_relu):
                trace.outputs[name] = x.to(self.parameters.dtype)
        return x
