"""What every way of training K networks of the same shapes together is: an engine with one more
axis in front.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sevensteps.engine.engine import LayerTrace, LossFunction
from sevensteps.engine.flat_parameters import Slices, flatten
from sevensteps.engine.sequence import InputCheck
from sevensteps.errors import Error, ShapeError


class Ensemble(ABC):
    """Steps 2, 3 and 4 of K networks of the same layers and shapes: `predict(x)`, then
    `loss(target)`, then `gradient()`.

    `parameters` and `gradients` are [K, P]; row k holds network k, whose own tensors are views of
    it, so the networks are at any time as trained as their rows. Raises `ArgumentError` for
    networks that differ or that cannot be trained together in this way.
    """

    networks: list[nn.Module]
    slices: Slices
    # filled where somebody looks: as by one network, with the network as the first axis of every
    # tensor but a shared input and target
    trace: LayerTrace | None = None
    _output: Tensor | None
    _losses: Tensor | None

    def __init__(self, networks: Sequence[nn.Module], loss: LossFunction) -> None:
        self.loss_function = loss
        self._take(networks)

    def __len__(self) -> int:
        return len(self.networks)

    def predict(self, x: Shaped[Tensor, "..."], own: bool = False) -> Float[Tensor, "K B O"]:
        """The outputs for a batch [B, …] that all share, or [K, B, …] with each network's `own`;
        remembered for `loss`.
        """
        self._output = self._losses = None
        if own and (x.ndim < 3 or x.shape[0] != len(self)):
            raise ShapeError(
                f"inputs have shape {list(x.shape)}; give a batch to each of {len(self)} "
                "networks, as "
                f"[{len(self)}, samples, features]"
            )
        self._entrance.check(x[0] if own else x, self.parameters[0])
        samples, self._own = x.shape[int(own)], own
        try:
            output = self._forward(x, own)
        except (Error, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError) as failure:
            raise ShapeError(f"the networks fail on inputs {list(x.shape)}: {failure}") from failure
        if output.ndim != 3 or output.shape[1] != samples:
            raise ShapeError(
                f"the networks give {list(output.shape)}; they must give [networks, samples, "
                "outputs]"
            )
        self._output = output
        if self.trace is not None:
            self.trace.input, self.trace.output = x, output.detach()
        return output.detach()

    def loss(self, target: Shaped[Tensor, "..."], own: bool | None = None) -> Float[Tensor, "K B"]:
        """The loss of each sample of the last `predict`, remembered for `gradient`. Targets are
        shared as the inputs were, unless `own` says otherwise.

        A loss judges samples one by one, so it judges the K·B of all networks at once.
        """
        if self._output is None:
            raise Error("loss(target) needs outputs to judge; call predict(x) first")
        count, samples, _ = self._output.shape
        own = self._own if own is None else own
        if self.trace is not None:
            self.trace.target = target
        if list(target.shape[: 1 + own]) != ([count, samples] if own else [samples]):
            raise ShapeError(
                f"targets {list(target.shape)} against {count} networks' outputs for {samples} "
                "samples; give " + (f"[{count}, {samples}, …]" if own else f"[{samples}, …]")
            )
        target = target if own else target.expand(count, *target.shape)
        # In memory the outputs stand class by class, as several losses want them; network by
        # network would be one more copy.
        losses = self._sample_losses(
            self._output.permute(2, 0, 1).flatten(1).T, target.flatten(0, 1)
        )
        if list(losses.shape) != [count * samples]:
            raise ShapeError(
                f"the loss gives {list(losses.shape)} for {count * samples} samples; it must give "
                "one number per "
                "sample, [B], and leave the mean to the engine"
            )
        self._losses = losses = losses.view(count, samples)
        return losses.detach()

    def gradient(self, share: float = 1.0, add: bool = False) -> Float[Tensor, "K P"]:
        """`share` times the gradient of each network's mean loss, written into `gradients`, or
        added to what is there.
        """
        if self._output is None or self._losses is None:
            raise Error(
                "gradient() needs a loss; call predict(x) and loss(target) before each gradient()"
            )
        losses = self._losses
        self._output = self._losses = None
        with torch.no_grad():
            self._backward(losses, share, add)
        return self.gradients

    def keep(self, indices: Sequence[int]) -> None:
        """Go on with these networks only, in this order; the others keep their parameters and are
        on their own again.
        """
        remaining = [self.networks[index] for index in indices]
        for network in self.networks:
            if all(network is not other for other in remaining):
                self._free(network)
        self._take(remaining)

    def _take(self, networks: Sequence[nn.Module]) -> None:
        """Check the networks and move what they train into rows of one tensor."""
        self._check(networks)
        self.networks = list(networks)
        trained = [p for p in networks[0].parameters() if p.requires_grad]
        size, first = sum(p.numel() for p in trained), next(iter(trained), torch.zeros(0))
        self.parameters, self.gradients = (
            first.new_empty(len(networks), size),
            first.new_empty(len(networks), size),
        )
        rows = zip(networks, self.parameters, self.gradients, strict=True)
        *_, self.slices = [flatten(network, (values, slopes)) for network, values, slopes in rows][
            -1
        ]
        self._entrance = InputCheck(networks[0])
        self._output = self._losses = None
        self._own = False
        self._prepare()

    @property
    def traceable(self) -> bool:
        """Whether a `trace` is filled with what every layer computes."""
        return False

    def _free(self, network: nn.Module) -> None:
        """Move a network out of the common memory."""
        flatten(network)

    @abstractmethod
    def _check(self, networks: Sequence[nn.Module]) -> None:
        """Raise `ArgumentError` for networks that cannot be trained together in this way."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the steps need of `networks`, `parameters` and `gradients`."""

    @abstractmethod
    def _forward(self, x: Tensor, own: bool) -> Tensor:
        """The outputs, [K, B, O]."""

    @abstractmethod
    def _sample_losses(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of each of the K·B samples."""

    @abstractmethod
    def _backward(self, losses: Tensor, share: float, add: bool) -> None:
        """Write or add the gradients."""
