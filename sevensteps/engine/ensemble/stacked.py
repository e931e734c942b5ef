"""K networks of the same shapes trained together: the chain rule with one more axis in front, for
races and sweeps.

One network of 784-30-10 spends half its step on calls and on products too narrow for the processor.
Side by side, the first layers of K networks over the same batch are one product of [K·O, F] by [F,
B], the others K small ones in one call, and the batch is gathered once. What each network computes
stays what it computes alone. Networks without a written chain rule: `VmappedEnsemble`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sevensteps.engine.chain_rule import missing, with_derivative
from sevensteps.engine.ensemble import compatibility
from sevensteps.engine.ensemble.base import Ensemble
from sevensteps.engine.ensemble.blocks import Block, blocks
from sevensteps.engine.modules import Neuron
from sevensteps.engine.sequence import named_layers


class StackedEnsemble(Ensemble):
    """An `Ensemble` by the written chain rule.

    Dropout draws from each network's own generator, batch norm keeps each network's own statistics.
    Raises `ArgumentError` for networks that differ or that have no written chain rule.
    """

    def _check(self, networks: Sequence[nn.Module]) -> None:
        compatibility.check_compatible(networks, missing, "the chain rule")

    def _prepare(self) -> None:
        chains = [
            [with_derivative(module) for _, module in named_layers(network)]
            for network in self.networks
        ]
        self.blocks: list[Block] = blocks(chains, self._column)
        layers = named_layers(self.networks[0])
        self.names = [name for name, _ in layers]
        # as in the chain rule of one network: the output of a layer before a ReLU is the ReLU's
        self._untraced = {
            name
            for (name, module), (_, after) in itertools.pairwise(layers)
            if isinstance(module, nn.Linear | Neuron) and type(after) is nn.ReLU
        }
        # Nothing before the first block that is trained needs a gradient, nor does that block's own
        # input.
        self.first = next(
            (i for i, block in enumerate(self.blocks) if block.trained), len(self.blocks)
        )

    @property
    def traceable(self) -> bool:
        return len(self.blocks) == len(self.names)  # none of them holds several layers

    @torch.no_grad()
    def _forward(self, x: Tensor, own: bool) -> Tensor:
        trace = self.trace if self.traceable else None
        for index, block in enumerate(self.blocks):
            x = block.forward(x, own)
            own = own or block.per_network
            if trace is not None and (name := self.names[index]) not in self._untraced:
                trace.outputs[name] = x if own else x.expand(len(self), *x.shape)
        return x if own else x.expand(len(self), *x.shape)

    @torch.no_grad()
    def _sample_losses(self, output: Tensor, target: Tensor) -> Tensor:
        losses, slope = self.loss_function.value_and_derivative(output, target)
        # of each network's mean: its samples count 1/B, not 1/KB
        self._slope = slope.mul_(len(self))
        return losses

    def _backward(self, losses: Tensor, share: float, add: bool) -> None:
        g = self._slope.view(*losses.shape, -1)
        g = g if share == 1 else g.mul_(share)
        trace = self.trace if self.traceable else None
        if trace is not None:
            trace.output_gradient = g.clone()
        for index in range(len(self.blocks) - 1, self.first - 1, -1):
            if trace is not None:
                trace.output_gradients[self.names[index]] = g.clone()  # a layer may overwrite it
            g = self.blocks[index].backward(g, add, needs_input_gradient=index > self.first)

    def _column(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor] | None:
        """(values, gradients), [K, …] each, of one parameter of every network; None where it is not
        trained.
        """
        for name, parameter in self.networks[0].named_parameters():
            if parameter is tensors[0] and name in self.slices:
                place, shape = self.slices[name]
                return self.parameters[:, place].unflatten(1, shape), self.gradients[
                    :, place
                ].unflatten(1, shape)
        return None
