"""The chain rule of one batch, unit by unit: dL/d(unit), d(unit)/d(parameter), and the paths.

Both come from the derivatives written in engine/layers.py and activations.py. A layer's `backward`
turns dL/dy into dL/dx and is linear in dL/dy, so its transpose, dx -> dy, carries a small change of
a parameter forward. At every layer the gradient is Σ dL/d(unit) · d(unit)/d(parameter), over
samples and units: that sum is the same wherever the network is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sevensteps.engine.chain_rule import with_derivative
from sevensteps.engine.layer import Layer
from sevensteps.engine.sequence import named_layers
from sevensteps.steps.loss import Loss

# hand the same numbers on; dropout does too, in evaluation mode
PASS_THROUGH = (
    nn.Flatten,
    nn.Identity,
)
MAX_PATHS = 32  # followed at once: those whose prefix carries most


@dataclass(frozen=True)
class Route:
    """A path of one sample from a parameter to the loss: `units[k]` is in layer `layers[k]`.

    Units are counted flat. `factors` are d(first unit)/d(parameter), then d(unit)/d(unit before),
    then dL/d(last unit); their product is what the path adds to the gradient. A path that ends
    before the loss has a factor 0, and as its last unit the one where it ends, or None where that
    is not one unit.
    """

    layers: tuple[int, ...]
    units: tuple[int | None, ...]
    factors: tuple[float, ...]

    @property
    def product(self) -> float:
        """What this path contributes to the gradient."""
        product = 1.0
        for factor in self.factors:
            product *= factor
        return product + 0.0  # not -0


class Chain:
    """One forward and one backward pass through layers that all have a written derivative.

    Of a batch in float64: `inputs[i]` and `outputs[i]` are those of layer i, `output_gradients[i]`
    is dL/d(outputs[i]) of the mean loss.
    """

    def __init__(self, network: nn.Module, loss: Loss, x: Tensor, y: Tensor) -> None:
        self.names = [name for name, _ in named_layers(network)]
        self.modules: list[Any] = [module for _, module in named_layers(network)]
        self.layers: list[Layer] = [with_derivative(module) for module in self.modules]
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        with torch.no_grad():
            for layer in self.layers:
                self.inputs.append(x)
                x = layer.forward(x.clone())
                self.outputs.append(x.clone())  # a later layer may work in place
            self.losses, g = loss.value_and_derivative(x, y)
            self.output_gradients = [g] * len(self.layers)
            for i in range(len(self.layers) - 1, 0, -1):
                self.output_gradients[i - 1] = self.layers[i].backward(
                    self.output_gradients[i].clone()
                )

    def owner(self, parameter: str) -> int:
        """The index of the layer that `parameter` belongs to."""
        return self.names.index(parameter.rpartition(".")[0]) if "." in parameter else 0

    def changing_layers(self, start: int) -> list[int]:
        """The layers from `start` on in which the numbers change, and the last."""
        last = len(self.layers) - 1
        return [
            i
            for i in range(start, last + 1)
            if i in (start, last) or not isinstance(self.modules[i], PASS_THROUGH)
        ]

    def local_jacobian(self, parameter: str, index: tuple[int, ...]) -> Tensor:
        """d(output)/d(parameter[index]) of the parameter's own layer, [B, …].

        A layer is linear in its own parameters, so this is its output where that number is 1 and
        all others are 0.
        """
        layer, name = self.owner(parameter), parameter.rpartition(".")[2]
        only_one = {key: torch.zeros_like(p) for key, p in self.modules[layer].named_parameters()}
        only_one[name][index] = 1
        with torch.no_grad():
            jacobian: Tensor = functional_call(self.modules[layer], only_one, (self.inputs[layer],))
        return jacobian

    def parameter_jacobian(self, parameter: str, index: tuple[int, ...]) -> dict[int, Tensor]:
        """d(output)/d(parameter[index]) of its own layer and of all behind it, by layer."""
        own = self.owner(parameter)
        jacobian = {own: self.local_jacobian(parameter, index)}
        for layer in range(own + 1, len(self.layers)):
            jacobian[layer] = self.jvp(layer, jacobian[layer - 1])
        return jacobian

    def parameter_gradient(self, parameter: str) -> Tensor:
        """dL/d(parameter), in its shape, by the written derivative of its layer."""
        at, name = self.owner(parameter), parameter.rpartition(".")[2]
        layer = self.layers[at]
        layer.grads = {
            key: torch.zeros_like(p) for key, p in self.modules[at].named_parameters(recurse=False)
        }
        with torch.no_grad():
            layer.write_gradients(self.output_gradients[at].clone(), False)
        gradient: Tensor = layer.grads[name]
        return gradient

    def jvp(self, layer: int, tangent: Tensor) -> Tensor:
        """The change of the output of `layer` for a small change `tangent` of its input.

        The Jacobian-vector product, as the transpose of the layer's written backward.
        """
        with torch.enable_grad():
            g = torch.zeros_like(self.outputs[layer], requires_grad=True)
            back = self.layers[layer].backward(g * 1)
            # of a number: a vector makes PyTorch import a computer algebra system
            return torch.autograd.grad((back * tangent).sum(), g)[0]


def strongest_routes(
    network: nn.Module, loss: Loss, x: Tensor, y: Tensor, parameter: str, index: tuple[int, ...]
) -> tuple[list[Route], bool]:
    """The paths from a parameter to the loss of one sample [1, …], strongest first; and if all.

    Of more than `MAX_PATHS` those are followed whose units, so far, carry most; each path's factors
    are exact all the same. Not for batch norm over the batch, where samples act on each other.
    """
    chain = Chain(network, loss, x, y)
    copies = Chain(
        network, loss, x.expand(MAX_PATHS, *x.shape[1:]), y.expand(MAX_PATHS, *y.shape[1:])
    )
    start = chain.owner(parameter)
    path_layers = chain.changing_layers(start)
    jacobian = chain.local_jacobian(parameter, index).flatten()
    first, complete = _strongest(jacobian * chain.output_gradients[start].flatten(), jacobian)
    if not first:
        unit = index[0] if jacobian.numel() == chain.modules[start].weight.shape[0] else None
        return [_dead_end_route(chain, (start,), (unit,), (0.0,))], True
    prefixes: list[tuple[tuple[int, ...], tuple[float, ...]]] = [
        ((unit,), (float(jacobian[unit]),)) for unit in first
    ]
    for order, layer in enumerate(path_layers[1:], 1):
        before = path_layers[order - 1]
        edges = _unit_jacobian(copies, before, layer, [units[-1] for units, _ in prefixes])
        so_far = torch.tensor([factors for _, factors in prefixes], dtype=x.dtype).prod(1)
        strongest, all_of_them = _strongest(
            (so_far[:, None] * edges * chain.output_gradients[layer].flatten()).flatten(),
            edges.flatten(),
        )
        if not strongest:
            units, factors = prefixes[0]
            same_size = chain.outputs[layer].numel() == chain.outputs[before].numel()
            end = (*units, units[-1] if same_size else None)
            return [
                _dead_end_route(chain, tuple(path_layers[: order + 1]), end, (*factors, 0.0))
            ], True
        complete &= all_of_them
        steps = [
            (*divmod(edge, edges.shape[1]), float(edges.flatten()[edge])) for edge in strongest
        ]
        prefixes = [
            ((*prefixes[row][0], unit), (*prefixes[row][1], factor)) for row, unit, factor in steps
        ]
    last = chain.output_gradients[-1].flatten()
    routes = [
        Route(tuple(path_layers), units, (*factors, float(last[units[-1]])))
        for units, factors in prefixes
    ]
    return sorted(routes, key=lambda route: -abs(route.product)), complete


def _dead_end_route(
    chain: Chain,
    layers: tuple[int, ...],
    units: tuple[int | None, ...],
    factors: tuple[float, ...],
) -> Route:
    """A path that carries nothing further, closed with dL/d(unit) where it ends in one unit."""
    last = units[-1]
    if last is None:
        return Route(layers, units, factors)
    return Route(
        layers, units, (*factors, float(chain.output_gradients[layers[-1]].flatten()[last]))
    )


def _unit_jacobian(copies: Chain, before: int, layer: int, units: list[int]) -> Tensor:
    """d(every unit of `layer`)/d(unit of layer `before`), a row for each of `units`."""
    outputs = copies.outputs[before]
    tangent = torch.zeros(MAX_PATHS, outputs[0].numel(), dtype=outputs.dtype)
    tangent[torch.arange(len(units)), torch.tensor(units)] = 1
    tangent = tangent.view_as(outputs)
    for i in range(before + 1, layer + 1):
        tangent = copies.jvp(i, tangent)
    return tangent.flatten(1)[: len(units)]


def _strongest(contributions: Tensor, jacobian: Tensor) -> tuple[list[int], bool]:
    """Where the largest contributions are, at most `MAX_PATHS`, largest first; and if all.

    Where nothing contributes, the places where the Jacobian is not 0.
    """
    alive = torch.nonzero(contributions if bool(contributions.any()) else jacobian)[:, 0]
    order = contributions[alive].abs().argsort(descending=True, stable=True)[:MAX_PATHS]
    return alive[order].tolist(), len(alive) <= MAX_PATHS
