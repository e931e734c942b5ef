"""K networks of the same shapes trained together: the chain rule with one more axis in front, for races and sweeps.

One network of 784-30-10 spends half its step on calls and on products too narrow for the processor. Side by side, the first
layers of K networks over the same batch are one product of [K·O, F] by [F, B], the others K small ones in one call, and the
batch is gathered once. What each network computes stays what it computes alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sevensteps.engine.chain_rule import WRITTEN, missing
from sevensteps.engine.engine import LossFunction
from sevensteps.engine.flat import flatten
from sevensteps.engine.sequence import Entrance, layers
from sevensteps.engine.stacked import Block, blocks
from sevensteps.errors import ArgumentError, Error, ShapeError


class Stack:
    """Steps 2, 3 and 4 of K networks of the same layers and shapes: `predict(x)`, then `loss(target)`, then `gradient()`.

    `parameters` and `gradients` are [K, P]; row k holds network k, whose own tensors are views of it, so the networks are at any
    time as trained as their rows. Dropout draws from each network's own generator, batch norm keeps each network's own
    statistics. Raises `ArgumentError` for networks that differ or that have no written chain rule.
    """

    def __init__(self, networks: Sequence[nn.Module], loss: LossFunction) -> None:
        _check(networks)
        self.networks, self.loss_function = list(networks), loss
        rows = [flatten(network) for network in networks]
        self.slices = rows[0][2]
        self.parameters = torch.stack([values for values, _, _ in rows])
        self.gradients = torch.zeros_like(self.parameters)
        for network, values, slopes in zip(networks, self.parameters, self.gradients, strict=True):
            named = dict(network.named_parameters())
            for name, (place, shape) in self.slices.items():
                named[name].data, named[name].grad = values[place].view(shape), slopes[place].view(shape)
        chains = [[WRITTEN[type(module)](module) for _, module in layers(network)] for network in networks]
        self.blocks: list[Block] = blocks(chains, self._column)
        # Nothing before the first block that is trained needs a gradient, nor does that block's own input.
        self.first = next((i for i, block in enumerate(self.blocks) if block.trained), len(self.blocks))
        self._entrance = Entrance(networks[0])
        self._output: Tensor | None = None
        self._slope: Tensor | None = None
        self._own = False

    def __len__(self) -> int:
        return len(self.networks)

    @torch.no_grad()
    def predict(self, x: Shaped[Tensor, "..."], own: bool = False) -> Float[Tensor, "K B O"]:
        """The outputs for a batch [B, …] that all share, or [K, B, …] with each network's `own`; remembered for `loss`."""
        self._output = self._slope = None
        if own and (x.ndim < 3 or x.shape[0] != len(self)):
            raise ShapeError(f"inputs have shape {list(x.shape)}; give a batch to each of {len(self)} networks, as "
                             f"[{len(self)}, samples, features]")
        self._entrance.check(x[0] if own else x, self.parameters)
        samples, self._own = x.shape[int(own)], own
        try:
            for block in self.blocks:
                x = block.forward(x, own)
                own = own or block.parts
        except (Error, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError) as failure:
            raise ShapeError(f"the networks fail on inputs {list(x.shape)}: {failure}") from failure
        output = x if own else x.expand(len(self), *x.shape)
        if output.ndim != 3 or output.shape[1] != samples:
            raise ShapeError(f"the networks give {list(output.shape)}; they must give [networks, samples, outputs]")
        self._output = output
        return output

    @torch.no_grad()
    def loss(self, target: Shaped[Tensor, "..."], own: bool | None = None) -> Float[Tensor, "K B"]:
        """The loss of each sample of the last `predict`, remembered for `gradient`. Targets are shared as the inputs were, or as said.

        A loss judges samples one by one, so it judges the K·B of all networks at once.
        """
        if self._output is None:
            raise Error("loss(target) needs outputs to judge; call predict(x) first")
        count, samples, outputs = self._output.shape
        own = self._own if own is None else own
        if list(target.shape[: 1 + own]) != ([count, samples] if own else [samples]):
            raise ShapeError(f"targets {list(target.shape)} against {count} networks' outputs for {samples} samples; give "
                             + (f"[{count}, {samples}, …]" if own else f"[{samples}, …]"))
        target = target if own else target.expand(count, *target.shape)
        losses, slope = self.loss_function.both(self._output.flatten(0, 1), target.flatten(0, 1))
        self._slope = slope.view(count, samples, outputs).mul_(count)  # of each network's mean: its samples count 1/B, not 1/KB
        return losses.view(count, samples)

    @torch.no_grad()
    def gradient(self, share: float = 1.0, add: bool = False) -> Float[Tensor, "K P"]:
        """`share` times the gradient of each network's mean loss, written into `gradients`, or added to what is there."""
        if self._slope is None:
            raise Error("gradient() needs a loss; call predict(x) and loss(target) before each gradient()")
        g = self._slope if share == 1 else self._slope.mul_(share)
        self._output = self._slope = None
        for index in range(len(self.blocks) - 1, self.first - 1, -1):
            g = self.blocks[index].back(g, add, further=index > self.first)
        return self.gradients

    def keep(self, indices: Sequence[int]) -> None:
        """Go on with these networks only, in this order; the others keep their parameters and are on their own again."""
        kept = [self.networks[index] for index in indices]
        for network in self.networks:
            if all(network is not other for other in kept):
                flatten(network)  # out of the common memory
        Stack.__init__(self, kept, self.loss_function)

    def _column(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor] | None:
        """(values, gradients), [K, …] each, of one parameter of every network; None where it is not trained."""
        for name, parameter in self.networks[0].named_parameters():
            if parameter is tensors[0] and name in self.slices:
                place, shape = self.slices[name]
                return self.parameters[:, place].unflatten(1, shape), self.gradients[:, place].unflatten(1, shape)
        return None


def _check(networks: Sequence[nn.Module]) -> None:
    """Refuse no networks, one network twice, networks that differ, and those without a written chain rule."""
    if not networks:
        raise ArgumentError("a stack of no networks trains nothing; give at least one")
    if len({id(network) for network in networks}) < len(networks):
        raise ArgumentError("one network stands twice in the stack; give copies of it: copy.deepcopy(network)")
    seen = [_structure(network) for network in networks]
    for index, (network, structure) in enumerate(zip(networks, seen, strict=True)):
        if lacking := missing(network):
            raise ArgumentError(f"networks are stacked by the chain rule, but in network {index} {lacking}; train them one by one")
        if structure != seen[0]:
            here, first = next((a, b) for a, b in zip([*structure, "nothing"], [*seen[0], "nothing"], strict=False) if a != b)
            raise ArgumentError(f"network {index} has {here} where network 0 has {first}; only networks of the same layers and shapes "
                                "are trained together")


def _structure(network: nn.Module) -> list[str]:
    """What has to be the same: layers with their settings, shapes, number types, what is trained, and the mode."""
    return [f"{name} {module}, {'training' if module.training else 'evaluating'}" for name, module in layers(network)] + [
        f"{name} {list(p.shape)} of {p.dtype} on {p.device}{'' if p.requires_grad else ', frozen'}"
        for name, p in network.named_parameters()]
