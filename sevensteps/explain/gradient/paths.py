"""The chain rule of one batch taken apart: what the loss feels at every unit, how every unit moves
with one parameter, and the paths.

Both come from the derivatives written in engine/layers.py and activations.py. `backward` hands
dL/dy back; it is linear in what it is given, so its transpose, dx -> dy, carries a small move of a
parameter forward. At every layer the gradient is Σ dL/d(unit) · d(unit)/d(parameter), over samples
and units: that sum is the same wherever the network is cut."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sevensteps.engine.chain_rule import with_derivative
from sevensteps.engine.layer import Layer
from sevensteps.engine.sequence import layers
from sevensteps.steps.loss import Loss

PASSING = (
    nn.Flatten,
    nn.Identity,
)  # hand the same numbers on; dropout does too, in evaluation mode
KEPT = 32  # paths followed at once: those whose prefix carries most


@dataclass(frozen=True)
class Route:
    """A path of one sample: `units[k]` is the unit it passes in the layer at `places[k]`, flat.

    `factors` are d(first unit)/d(parameter), then d(unit)/d(unit before), then dL/d(last unit);
    their product is the path's part. Of a path that ends on the way the last unit is where it does,
    with a factor 0; None where that cannot be told."""

    places: tuple[int, ...]
    units: tuple[int | None, ...]
    factors: tuple[float, ...]

    @property
    def product(self) -> float:
        """What this path contributes to the gradient."""
        found = 1.0
        for factor in self.factors:
            found *= factor
        return found + 0.0  # not -0


class Chain:
    """One forward and one backward pass of a network whose layers all have a written derivative, over a batch in float64.

    `inputs[i]` and `outputs[i]` are those of layer i, `slopes[i]` is dL/d(outputs[i]) of the mean
    loss."""

    def __init__(self, network: nn.Module, loss: Loss, x: Tensor, y: Tensor) -> None:
        self.names, self.modules = (list(held) for held in zip(*layers(network), strict=True))
        self.layers: list[Layer] = [with_derivative(module) for module in self.modules]
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        with torch.no_grad():
            for layer in self.layers:
                self.inputs.append(x)
                x = layer.forward(x.clone())
                self.outputs.append(x.clone())  # a later layer may work in place
            self.losses, g = loss.both(x, y)
            self.slopes = [g] * len(self.layers)
            for at in range(len(self.layers) - 1, 0, -1):
                self.slopes[at - 1] = self.layers[at].backward(self.slopes[at].clone())

    def owner(self, parameter: str) -> int:
        """The layer that holds `parameter`, as a place in the chain."""
        return self.names.index(parameter.rpartition(".")[0]) if "." in parameter else 0

    def places(self, start: int) -> list[int]:
        """The layers from `start` on in which the numbers change, and the last."""
        last = len(self.layers) - 1
        return [
            at
            for at in range(start, last + 1)
            if at in (start, last) or not isinstance(self.modules[at], PASSING)
        ]

    def local(self, parameter: str, index: tuple[int, ...]) -> Tensor:
        """d(output)/d(parameter) of the layer that holds it, [B, …]: a layer is linear in its own
        parameters, so this is what it gives where that one is 1 and all others are 0."""
        at, name = self.owner(parameter), parameter.rpartition(".")[2]
        only = {key: torch.zeros_like(p) for key, p in self.modules[at].named_parameters()}
        only[name][index] = 1
        with torch.no_grad():
            found: Tensor = functional_call(self.modules[at], only, (self.inputs[at],))
        return found

    def descended(self, parameter: str) -> Tensor:
        """dL/d(parameter), all of it, by the written derivative of its layer."""
        at, name = self.owner(parameter), parameter.rpartition(".")[2]
        layer = self.layers[at]
        layer.grads = {
            key: torch.zeros_like(p) for key, p in self.modules[at].named_parameters(recurse=False)
        }
        with torch.no_grad():
            layer.descend(self.slopes[at].clone(), False)
        found: Tensor = layer.grads[name]
        return found

    def push(self, at: int, move: Tensor) -> Tensor:
        """How the output of layer `at` moves where its input moves by `move`: the transpose of its
        written backward.
        """
        with torch.enable_grad():
            g = torch.zeros_like(self.outputs[at], requires_grad=True)
            back = self.layers[at].backward(g * 1)
            return torch.autograd.grad((back * move).sum(), g)[
                0
            ]  # of a number: a vector makes PyTorch import a computer algebra system

    def moves(self, parameter: str, index: tuple[int, ...]) -> dict[int, Tensor]:
        """d(output)/d(parameter) of its own layer and of all behind it, by place."""
        at = self.owner(parameter)
        found = {at: self.local(parameter, index)}
        for behind in range(at + 1, len(self.layers)):
            found[behind] = self.push(behind, found[behind - 1])
        return found


def routes(
    network: nn.Module, loss: Loss, x: Tensor, y: Tensor, parameter: str, index: tuple[int, ...]
) -> tuple[list[Route], bool]:
    """The paths by which a parameter reaches the loss of one sample, [1, …], strongest first; and
    whether these are all.

    Of more than `KEPT` the ones are followed whose units, so far, carry most; each path's factors
    are exact all the same. Not for batch norm over the batch, where samples act on each other."""
    one = Chain(network, loss, x, y)
    many = Chain(network, loss, x.expand(KEPT, *x.shape[1:]), y.expand(KEPT, *y.shape[1:]))
    start = one.owner(parameter)
    places = one.places(start)
    move = one.local(parameter, index).flatten()
    found, complete = _strongest(move * one.slopes[start].flatten(), move)
    if not found:
        unit = index[0] if move.numel() == one.modules[start].weight.shape[0] else None
        return [_ended(one, (start,), (unit,), (0.0,))], True
    held: list[tuple[tuple[int, ...], tuple[float, ...]]] = [
        ((unit,), (float(move[unit]),)) for unit in found
    ]
    for order, at in enumerate(places[1:], 1):
        edges = _edges(many, places[order - 1], at, [units[-1] for units, _ in held])
        so_far = torch.tensor([factors for _, factors in held], dtype=x.dtype).prod(1)
        flat, all_of_them = _strongest(
            (so_far[:, None] * edges * one.slopes[at].flatten()).flatten(), edges.flatten()
        )
        if not flat:
            units, factors = held[0]
            same = (
                units[-1]
                if one.outputs[at].numel() == one.outputs[places[order - 1]].numel()
                else None
            )
            return [_ended(one, tuple(places[: order + 1]), (*units, same), (*factors, 0.0))], True
        complete &= all_of_them
        rows = [(*divmod(edge, edges.shape[1]), float(edges.flatten()[edge])) for edge in flat]
        held = [((*held[row][0], unit), (*held[row][1], factor)) for row, unit, factor in rows]
    last = one.slopes[-1].flatten()
    paths = [
        Route(tuple(places), units, (*factors, float(last[units[-1]]))) for units, factors in held
    ]
    return sorted(paths, key=lambda path: -abs(path.product)), complete


def _ended(
    one: Chain, places: tuple[int, ...], units: tuple[int | None, ...], factors: tuple[float, ...]
) -> Route:
    """A path that carries nothing further, closed with what the loss feels where it ends, if that
    can be told.
    """
    last = units[-1]
    return Route(
        places,
        units,
        factors if last is None else (*factors, float(one.slopes[places[-1]].flatten()[last])),
    )


def _edges(many: Chain, before: int, at: int, units: list[int]) -> Tensor:
    """d(every unit of layer `at`)/d(unit of layer `before`), a row for each of `units`."""
    step = torch.zeros(KEPT, many.outputs[before][0].numel(), dtype=many.outputs[before].dtype)
    step[torch.arange(len(units)), torch.tensor(units)] = 1
    step = step.view_as(many.outputs[before])
    for place in range(before + 1, at + 1):
        step = many.push(place, step)
    return step.flatten(1)[: len(units)]


def _strongest(carried: Tensor, moved: Tensor) -> tuple[list[int], bool]:
    """The places that carry something, at most `KEPT`, the most first; where none does, those that
    move. And whether these are all.
    """
    alive = torch.nonzero(carried if bool(carried.any()) else moved)[:, 0]
    order = carried[alive].abs().argsort(descending=True, stable=True)[:KEPT]
    return alive[order].tolist(), len(alive) <= KEPT
