"""What every gradient method is: predict, measure the loss, give its gradient, over one flat vector
of parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sevensteps.engine.flat_parameters import Slices, Vectors, flatten
from sevensteps.engine.modules import Step
from sevensteps.engine.sequence import InputCheck
from sevensteps.errors import ArgumentError, Error, ShapeError


class LossFunction(Protocol):
    """What an engine needs of a loss: one number per sample, its derivative with respect to the
    output, and both at once.
    """

    def __call__(self, output: Tensor, target: Tensor) -> Tensor: ...

    def derivative(self, output: Tensor, target: Tensor) -> Tensor: ...

    def value_and_derivative(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]: ...


class Progress(Protocol):
    """What an engine needs to know of a training: whether it has been asked to end."""

    interrupted: bool


@dataclass
class LayerTrace:
    """What one step of an engine computed. Set `engine.trace` to a new one to have it filled.

    By layer: `outputs`, and `output_gradients` = dL/d(output of the layer). Of the network as a
    whole: `input`, `output`, `output_gradient` and `target`.
    """

    input: Tensor | None = None
    outputs: dict[str, Tensor] = field(default_factory=dict)
    output_gradients: dict[str, Tensor] = field(default_factory=dict)
    output: Tensor | None = None
    output_gradient: Tensor | None = None
    target: Tensor | None = None


class Engine(ABC):
    """Steps 2, 3 and 4 of one network and one loss: `predict(x)`, then `loss(target)`, then
    `gradient()`.

    `parameters` and `gradients` are the flat vectors [P] that the network's own tensors are views
    of; `slices` says where each is. Layers follow the network's mode as in PyTorch: in
    `network.train()` dropout leaves out, and batch norm takes the statistics of the batch and
    updates the running ones. `reason` says why this method was taken. Making an engine flattens the
    network, `into` vectors that are there or new ones: it belongs to the engine made last.
    """

    method: ClassVar[str]
    grad_enabled: ClassVar[bool] = False  # whether PyTorch has to record what is computed
    trace: LayerTrace | None = None  # filled where somebody looks

    def __init__(
        self, network: nn.Module, loss: LossFunction, reason: str = "", into: Vectors | None = None
    ) -> None:
        self.network = network
        self.loss_function = loss
        self.reason = reason
        self.parameters, self.gradients, self.slices = self._flatten(into)
        self.size = self.parameters.numel()
        self._entrance = InputCheck(network)
        self._output: Tensor | None = None
        self._target: Tensor | None = None
        self._losses: Tensor | None = None

    def predict(self, x: Shaped[Tensor, "B ..."]) -> Float[Tensor, "B O"]:
        """The output for a batch, remembered for `loss`. Raises `ShapeError` for inputs that the
        network cannot take.
        """
        self._output = self._target = self._losses = None
        self._entrance.check(x, self.parameters)
        try:
            output = self._with_grad(self._forward, x)
        except (Error, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError) as failure:
            raise ShapeError(f"the network fails on inputs {list(x.shape)}: {failure}") from failure
        if output.ndim != 2 or output.shape[0] != x.shape[0]:
            raise ShapeError(
                f"the network gives {list(output.shape)} for inputs {list(x.shape)}; "
                "it must give [samples, outputs]"
            )
        self._output = output
        if self.trace is not None:
            self.trace.input, self.trace.output = x, output.detach()
        return output.detach() if self.grad_enabled else output

    def loss(self, target: Shaped[Tensor, "B ..."]) -> Float[Tensor, "B"]:
        """The loss of each sample of the last `predict`, remembered for `gradient`."""
        if self._output is None:
            raise Error("loss(target) needs an output to judge; call predict(x) first")
        losses = self._with_grad(self._sample_losses, self._output, target)
        if losses.shape != target.shape[:1]:
            raise ShapeError(
                f"the loss gives {list(losses.shape)} for {len(target)} samples; it must give one "
                "number per "
                "sample, [B], and leave the mean to the engine"
            )
        self._target, self._losses = target, losses
        if self.trace is not None:
            self.trace.target = target
        return losses.detach() if self.grad_enabled else losses

    def gradient(self, share: float = 1.0, add: bool = False) -> Float[Tensor, "P"]:
        """`share` times the gradient of the mean of the last losses, written into `gradients`, or
        added to what is there.

        Batches accumulate as `gradient(share=n / N)` for the first and `gradient(share=n / N,
        add=True)` for each other one. A loss has one gradient: each call needs its own `predict`
        and `loss`.
        """
        if self._output is None or self._target is None or self._losses is None:
            raise Error(
                "gradient() needs a loss; call predict(x) and loss(target) before each gradient()"
            )
        output, target, losses = self._output, self._target, self._losses
        self._output = self._target = self._losses = None
        if torch.is_grad_enabled():
            with torch.no_grad():
                self._backward(output, target, losses, share, add)
        else:
            self._backward(output, target, losses, share, add)
        return self.gradients

    def begin(self) -> None:  # noqa: B027 - one process alone is ready
        """The network is as it will be trained from; the processes of a group (`DataParallel`,
        `FSDP`) prepare for that.
        """

    def all_reduce(self, summed: float, progress: Progress) -> float:
        """The sum of a step's losses over all processes that share the step, here the `summed` of
        this one. Where there are several (`DataParallel`), their gradients are summed with it, and
        `progress.interrupted` is set if one of them was interrupted.
        """
        return summed

    def shared_seconds(self, seconds: float) -> float:
        """The seconds that a step took by the one clock that all processes count by: here the
        `seconds` of this one; where there are several, those of process 0.
        """
        return seconds

    def length(self) -> Tensor:
        """The length (L2 norm) of the gradient; where processes hold parts of it (`FSDP`),
        of all of it.
        """
        length: Tensor = self.gradients.norm()
        return length

    def weights(self) -> dict[str, Tensor]:
        """The network's tensors by name; where processes hold parts of them, those of this one."""
        return self.network.state_dict()

    def gathered(self, vector: Tensor) -> Tensor:
        """What a `vector` like `parameters` holds of the whole network, [P]; where processes hold
        parts, all ask and process 0 gets it.
        """
        return vector

    def part(self, vector: Tensor) -> Tensor:
        """What of a `vector` [P] belongs to `parameters`; where processes hold parts of it, the
        part of this one.
        """
        return vector

    def agreed(self, wish: bool) -> bool:
        """Whether to do now what this process has a `wish` to; where all are needed for it, they
        agree with the next step.
        """
        return wish

    def end(self) -> nn.Module:
        """The network, whole; the training is over."""
        return self.network

    def multiply_in(self, dtype: torch.dtype) -> None:
        """Let layers multiply in `dtype`, a smaller number type than that of the parameters. Raises
        where the method cannot.
        """
        raise ArgumentError(
            f"{self.method} cannot compute in {str(dtype).removeprefix('torch.')}; use "
            "precision='float32'"
        )

    def _with_grad(self, compute: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """`compute(*inputs)` with PyTorch recording what it does, or not; changing that costs more
        than asking first.
        """
        if torch.is_grad_enabled() == self.grad_enabled:
            return compute(*inputs)
        with torch.set_grad_enabled(self.grad_enabled):
            return compute(*inputs)

    def _sample_losses(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of each sample."""
        return self.loss_function(output, target)

    def _flatten(self, into: Vectors | None) -> tuple[Tensor, Tensor, Slices]:
        """The vectors, and where in them each parameter is."""
        return flatten(self.network, into)

    @abstractmethod
    def _forward(self, x: Tensor) -> Tensor:
        """The output, [B, O]."""

    @abstractmethod
    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        """Write or add the gradient into `gradients`."""


def refuse_step(network: nn.Module, method: str) -> None:
    """Raise `ArgumentError` if `network` holds a `Step`, through which no gradient passes."""
    for name, module in network.named_modules():
        if isinstance(module, Step):
            raise ArgumentError(
                f"{method}: {name or 'the network'} is a step activation, whose derivative is 0 "
                "everywhere "
                "(at 0 it has none), so nothing would be learned; use perceptron_rule()"
            )
