"""Step 4, the gradient: how does the loss change with each parameter?

A value here prepares the engine that computes it for one network and one loss. All methods but the
perceptron's rule give the same numbers; they differ in which networks they take, in time, and in
what can be read along the way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from sevensteps.arguments import flag, number, whole
from sevensteps.data.inputs import Inputs
from sevensteps.engine.autograd import Autograd
from sevensteps.engine.chain_rule import ChainRule, missing
from sevensteps.engine.compiled import Compiled, missing_compiled, seconds_saved
from sevensteps.engine.distributed.fsdp import ShardedAutograd
from sevensteps.engine.engine import Engine, LossFunction
from sevensteps.engine.finite_differences import FiniteDifferences
from sevensteps.engine.flat_parameters import Vectors
from sevensteps.engine.modules import Step
from sevensteps.engine.perceptron import PerceptronRule
from sevensteps.errors import ArgumentError
from sevensteps.notation import auto, value

__all__ = [
    "auto",
    "chain_rule",
    "compiled",
    "autograd",
    "finite_differences",
    "perceptron_rule",
]

OPTIONS = ("clip", "accumulate")


class Gradient(ABC):
    """How the gradient is computed, and what is done with it before the step.

    `clip`: the greatest length (L2 norm) of the whole gradient, in loss per unit of parameter; a
    longer one is shortened to it. `accumulate`: how many batches' mean gradient makes one step.
    """

    clip: float | None
    accumulate: int

    def __post_init__(self) -> None:
        if self.clip is not None:
            number("clip", self.clip, above=0)
        whole("accumulate", self.accumulate, at_least=1)

    @abstractmethod
    def prepare(
        self, network: nn.Module, loss: LossFunction, into: Vectors | None = None
    ) -> Engine:
        """The engine for `network` and `loss`, with its numbers `into` vectors that are there, or
        new ones.

        Refused, with the reason and another method, where this one cannot take them.
        """

    def check(self, batch: int | None, x: Inputs, device: str, precision: str) -> None:  # noqa: B027 - most take any
        """Raise `ArgumentError` where this method cannot take these inputs in batches of so many
        samples (None: that is not known beforehand), on such a device and in such a precision.
        """

    def finish(
        self, gradients: Float[Tensor, "P"], length: Callable[[], Tensor] | None = None
    ) -> None:
        """Clip in place: g · min(1, clip / (|g| + 1e-6)), as `torch.nn.utils.clip_grad_norm_` does
        (Pascanu et al. 2013).

        `length` says |g|, where these are not all of it.
        """
        if self.clip is not None:
            gradients.mul_((self.clip / ((length or gradients.norm)() + 1e-6)).clamp_max(1.0))


@value
class chain_rule(Gradient):
    """dL/dx = dL/dy · dy/dx, layer by layer from the last to the first, each derivative written out

    Takes chains of linear, convolution, pooling, batch norm, dropout and the usual activations.
    Source: Leibniz 1676; Rumelhart, Hinton, Williams 1986, Learning representations by
    back-propagating errors.
    """

    _: KW_ONLY
    clip: float | None = None
    accumulate: int = 1

    def prepare(
        self, network: nn.Module, loss: LossFunction, into: Vectors | None = None
    ) -> Engine:
        return ChainRule(network, loss, "asked for", into)


@value
class compiled(Gradient):
    """the chain rule written as loops over numbers and compiled: many steps in one call, for dense
    networks

    Takes chains of linear layers, activations and dropout, on the processor, with all samples in
    memory. Needs Numba: pip install "sevensteps[compiled]". Source: Lam, Pitrou, Seibert 2015,
    Numba: A LLVM-based Python JIT Compiler.
    """

    _: KW_ONLY
    clip: float | None = None
    accumulate: int = 1

    def prepare(
        self, network: nn.Module, loss: LossFunction, into: Vectors | None = None
    ) -> Engine:
        return Compiled(network, loss, "asked for", into)

    def check(self, batch: int | None, x: Inputs, device: str, precision: str) -> None:
        if why := unfit_for_stretches(batch, x, device, precision):
            raise ArgumentError(f"compiled: {why}; use chain_rule()")


def unfit_for_stretches(batch: int | None, x: Inputs, device: str, precision: str) -> str | None:
    """Why `compiled()` cannot go over inputs `x` in its own stretches of steps; None where it can.
    `batch` is the size of a batch, if that is known beforehand.
    """
    if device != "cpu":
        return f"its machine code is made for processors, not for {device}"
    if precision == "bf16":
        return "it computes in float32 or float64, not in bf16"
    if not isinstance(x, Tensor):
        return f"it takes all {len(x):,} samples from memory, but they stay on disk"
    if batch is None:
        return "it takes its batches from memory, but here they come from a loader"
    return None


@value
class autograd(Gradient):
    """PyTorch's automatic differentiation: the chain rule over whatever was computed; takes any
    network

    dL/dx = Σ dL/dy · dy/dx over every operation that PyTorch recorded. With `shard=True` each of
    several processes (`torchrun`) keeps a part of the network, its gradients and the step's memory:
    for networks too large for one device. Source: Paszke et al. 2017, Automatic differentiation in
    PyTorch; Rajbhandari et al. 2020, ZeRO.
    """

    _: KW_ONLY
    clip: float | None = None
    accumulate: int = 1
    shard: bool = False

    def __post_init__(self) -> None:
        flag("shard", self.shard)
        super().__post_init__()

    def prepare(
        self, network: nn.Module, loss: LossFunction, into: Vectors | None = None
    ) -> Engine:
        if self.shard:
            return ShardedAutograd(network, loss, "asked for")
        return Autograd(network, loss, "asked for", into)


@value
class finite_differences(Gradient):
    """(L(p + h) - L(p - h)) / 2h for each parameter p: no derivative at all, but two losses per
    parameter

    h = epsilon · max(1, |p|), in float64; at most 20 000 parameters. A check of the other methods,
    and of your own derivatives. Source: Goodfellow, Bengio, Courville, Deep Learning (2016), ch.
    11.5.
    """

    epsilon: float = 1e-6
    _: KW_ONLY
    clip: float | None = None
    accumulate: int = 1

    def __post_init__(self) -> None:
        number("epsilon", self.epsilon, above=0, at_most=0.1)
        super().__post_init__()

    def prepare(
        self, network: nn.Module, loss: LossFunction, into: Vectors | None = None
    ) -> Engine:
        return FiniteDifferences(network, loss, self.epsilon, "asked for", into)


@value
class perceptron_rule(Gradient):
    """(answer - target) · x: wrong answers move the weights by the input; for a neuron with the
    step activation

    For the bias x is 1. It stands in for a gradient, which the step activation does not have.
    Source: Rosenblatt 1958, The Perceptron; convergence: Novikoff 1962.
    """

    _: KW_ONLY
    clip: float | None = None
    accumulate: int = 1

    def prepare(
        self, network: nn.Module, loss: LossFunction, into: Vectors | None = None
    ) -> Engine:
        return PerceptronRule(network, loss, "asked for", into)


def choose(network: nn.Module, loss: LossFunction, **options: object) -> tuple[Gradient, str]:
    """What `auto(**options)` takes for `network`, and why. Raises `ArgumentError` for options that
    not every method has.
    """
    for name in options:
        if name not in OPTIONS:
            raise ArgumentError(
                f"gradient=auto() hands on {' and '.join(OPTIONS)}, not {name}; name a method"
            )
    method, reason = _method(network)
    return method(**options), reason


# seconds saved that are worth it: importing Numba and reading the machine code takes .5 each time,
# and compiling it 16, once on a machine
SECONDS_TO_BEGIN = 4.0


def choose_compiled(
    value: Gradient,
    network: nn.Module,
    loss: LossFunction,
    batch: int,
    steps: int,
    *samples: Any,
) -> tuple[Gradient, str] | None:
    """`compiled()` with the options of `value` = `chain_rule(…)`, and why, where it is installed,
    takes the network and the `samples` (see `unfit_for_stretches`), and saves more seconds in so
    many `steps` of `batch` samples than it costs to begin; else None. It depends on no clock, so
    that a recipe comes to the same bits again.
    """
    if (
        not isinstance(value, chain_rule)
        or unfit_for_stretches(*samples)
        or missing_compiled(network, loss)
    ):
        return None
    saved = steps * seconds_saved(network, batch)
    if saved < SECONDS_TO_BEGIN:
        return None
    return (
        compiled(clip=value.clip, accumulate=value.accumulate),
        f"as machine code the chain rule takes {steps:,} steps of {batch:,} "
        f"{'samples' if batch > 1 else 'sample'} some {saved:.0f} seconds faster",
    )


def _method(network: nn.Module) -> tuple[type[Gradient], str]:
    if any(isinstance(module, Step) for module in network.modules()):
        return (
            perceptron_rule,
            "the derivative of the step activation is 0 everywhere; only the perceptron's rule "
            "teaches it",
        )
    if not any(p.requires_grad for p in network.parameters()):
        return autograd, "the network has no parameter to train"
    lacking = missing(network)
    return (autograd, lacking) if lacking else (chain_rule, "every layer has a written derivative")
