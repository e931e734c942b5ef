"""Step 5, the step: how are the parameters changed?

The optimizers are `torch.optim`'s own, applied to the one flat vector of all parameters, so a step
is one operation however many tensors the network has. The learning rate is a number, or a schedule:
a plain function of (step, total).
"""

from __future__ import annotations

import functools
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, MutableMapping
from dataclasses import KW_ONLY
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.optim.adam import adam as adam_step
from torch.optim.adamw import adamw as adamw_step
from torch.optim.sgd import sgd as sgd_step

from sevensteps.arguments import flag, number
from sevensteps.errors import ArgumentError
from sevensteps.notation import auto, value

__all__ = [
    "auto",
    "sgd",
    "adam",
    "adamw",
    "rmsprop",
    "adagrad",
    "constant",
    "linear_warmup",
    "cosine",
    "one_cycle",
    "step_decay",
    "exponential",
]

LARGEST = 3e38  # what float32 can hold
TABLE_RATE = 0.01  # of `auto()` for tables in files
# The weights of adamw are a mean over the last 1 / (lr weight_decay) updates; what suits that is a
# number of epochs, not of steps: Wang, Aitchison 2024, How to set AdamW's weight decay as you scale
# model and dataset size.
TABLE_EPOCHS, LEAST_DECAY, MOST_DECAY = 20, 0.05, 1.0


# -- schedules: (step, total) -> lr ----------------------------------------------------------------


class Schedule(ABC):
    """The learning rate of each step: `schedule(step, total)`, step from 0 to total - 1."""

    needs_total: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, step: int, total: int) -> float:
        """The learning rate at `step` of `total`."""


@value
class constant(Schedule):
    """lr: the same at every step, as a plain number is

    Source: Robbins, Monro 1951.
    """

    needs_total: ClassVar[bool] = False

    lr: float

    def __post_init__(self) -> None:
        number("lr", self.lr, above=0, at_most=LARGEST)

    def __call__(self, step: int, total: int) -> float:
        return self.lr


@value
class linear_warmup(Schedule):
    """lr·(step + 1)/w over the first w steps, a share of all, then lr: wild first gradients do
    little harm

    Source: Goyal et al. 2017, Accurate, Large Minibatch SGD, section 2.2.
    """

    lr: float
    _: KW_ONLY
    share: float = 0.1

    def __post_init__(self) -> None:
        number("lr", self.lr, above=0, at_most=LARGEST)
        number("share", self.share, above=0, at_most=1)

    def __call__(self, step: int, total: int) -> float:
        return self.lr * min(1.0, (step + 1) / max(1, round(self.share * total)))


@value
class cosine(Schedule):
    """final + (lr - final)·(1 + cos(pi·step/total))/2: falls slowly, then fast, then slowly

    Source: Loshchilov, Hutter 2017, SGDR, equation 5 (one period);
    torch.optim.lr_scheduler.CosineAnnealingLR.
    """

    lr: float
    _: KW_ONLY
    final: float = 0.0

    def __post_init__(self) -> None:
        number("lr", self.lr, above=0, at_most=LARGEST)
        number("final", self.final, at_least=0, at_most=self.lr)

    def __call__(self, step: int, total: int) -> float:
        return self.final + (self.lr - self.final) * (1 + math.cos(math.pi * step / total)) / 2


@value
class one_cycle(Schedule):
    """half a cosine up from lr/div to lr over the first share `rise` of the steps, and down to
    lr/(div·final_div)

    Source: Smith, Topin 2018, Super-Convergence; torch.optim.lr_scheduler.OneCycleLR (its lr, not
    its momentum).
    """

    lr: float
    _: KW_ONLY
    rise: float = 0.3
    div: float = 25.0
    final_div: float = 1e4

    def __post_init__(self) -> None:
        number("lr", self.lr, above=0, at_most=LARGEST)
        number("rise", self.rise, above=0, below=1)
        number("div", self.div, at_least=1)
        number("final_div", self.final_div, at_least=1)

    def __call__(self, step: int, total: int) -> float:
        # the step of the highest rate; may lie before the first one in a very short training
        top = self.rise * total - 1
        last = total - 1
        if step <= top:
            start, end, share = self.lr / self.div, self.lr, step / top if top > 0 else 1.0
        else:
            start, end, share = (
                self.lr,
                self.lr / (self.div * self.final_div),
                (step - top) / (last - top),
            )
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


@value
class step_decay(Schedule):
    """lr·gamma^k after k of the given shares of all steps have passed: falls in stairs

    Source: He et al. 2016, Deep Residual Learning, section 3.4;
    torch.optim.lr_scheduler.MultiStepLR.
    """

    lr: float
    _: KW_ONLY
    gamma: float = 0.1
    at: tuple[float, ...] = (0.5, 0.75)

    def __post_init__(self) -> None:
        number("lr", self.lr, above=0, at_most=LARGEST)
        number("gamma", self.gamma, above=0, at_most=1)
        shares = (self.at,) if isinstance(self.at, int | float) else tuple(self.at)
        for share in shares:
            number("at", share, above=0, below=1)
        vars(self).update(at=shares)

    def __call__(self, step: int, total: int) -> float:
        return float(
            self.lr * self.gamma ** sum(step >= max(1, round(share * total)) for share in self.at)
        )


@value
class exponential(Schedule):
    """lr·final^(step/total): falls by the same factor at every step, to lr·final at the end

    Source: torch.optim.lr_scheduler.ExponentialLR with gamma = final^(1/total).
    """

    lr: float
    _: KW_ONLY
    final: float = 0.01

    def __post_init__(self) -> None:
        number("lr", self.lr, above=0, at_most=LARGEST)
        number("final", self.final, above=0, at_most=1)

    def __call__(self, step: int, total: int) -> float:
        return float(self.lr * self.final ** (step / total))


# -- optimizers ------------------------------------------------------------------------------------


class Stepper:
    """One optimizer at work on the flat vector. Calling it changes the parameters in place and
    returns the lr used.

    `memory` is what it keeps from one step to the next, by name: empty before the first step.
    """

    def __init__(
        self,
        lr: float | Schedule,
        update: Callable[[float], object],
        memory: MutableMapping[str, Any],
    ) -> None:
        self.lr, self.update, self.memory = lr, update, memory
        self.rate: Callable[[int, int], float] = (
            lr if isinstance(lr, Schedule) else lambda step, total: lr
        )

    def __call__(self, step: int, total: int) -> float:
        rate = self.rate(step, total)
        self.update(rate)
        return rate

    def rates(self, step: int, count: int, total: int) -> Float64[Tensor, "K"]:
        """The learning rates of `count` steps from `step` on."""
        if not isinstance(self.lr, Schedule):
            return torch.full((count,), self.lr, dtype=torch.float64)
        rates = map(self.lr, range(step, step + count), itertools.repeat(total))
        return torch.from_numpy(np.fromiter(rates, np.float64, count))


class Optimizer(ABC):
    """Changes the parameters by the gradient. `lr` is a number or a schedule."""

    always_shown: ClassVar[tuple[str, ...]] = ("lr",)
    lr: float | Schedule

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The arguments of the torch optimizer besides lr."""

    @property
    @abstractmethod
    def torch_class(self) -> Callable[..., torch.optim.Optimizer]:
        """The optimizer of `torch.optim` that does the work."""

    def prepare(self, parameters: Float[Tensor, "P"], gradients: Float[Tensor, "P"]) -> Stepper:
        """The optimizer with its memory, bound to the flat vectors."""
        flat = parameters.detach()  # shares the memory of `parameters`
        flat.grad = gradients
        optimizer = self.torch_class([flat], lr=1.0, **self.options())

        def update(rate: float) -> None:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()

        return Stepper(self.lr, update, optimizer.state[flat])


def _prepare_adam(
    value: adam | adamw,
    parameters: Float[Tensor, "P"],
    gradients: Float[Tensor, "P"],
    decoupled: bool,
) -> Stepper:
    """The functional form of torch.optim.Adam, one kernel for all of it: the class imports
    PyTorch's compiler when the first is made, which takes a second. `decoupled`: AdamW.
    """
    memory: dict[str, Any] = {}
    flat = parameters.detach()
    take_step = adamw_step if decoupled else adam_step

    def update(rate: float) -> None:
        if not memory:
            memory["step"] = torch.zeros((), dtype=torch.float32, device=flat.device)
            memory["exp_avg"] = torch.zeros_like(flat)
            memory["exp_avg_sq"] = torch.zeros_like(flat)
        take_step(
            [flat],
            [gradients],
            [memory["exp_avg"]],
            [memory["exp_avg_sq"]],
            [],
            [memory["step"]],
            foreach=False,
            fused=True,
            amsgrad=False,
            beta1=value.betas[0],
            beta2=value.betas[1],
            lr=rate,
            weight_decay=value.weight_decay,
            eps=value.eps,
            maximize=False,
        )

    return Stepper(value.lr, update, memory)


def _check_lr(lr: object) -> None:
    if not isinstance(lr, Schedule):
        try:
            number("lr", lr, above=0, at_most=LARGEST)
        except ArgumentError as failure:
            raise ArgumentError(
                f"{failure}; try lr=0.1, or a schedule such as one_cycle(0.1)"
            ) from None


def _check_betas(betas: object) -> tuple[float, float]:
    if not isinstance(betas, list | tuple) or len(betas) != 2:
        raise ArgumentError(f"betas must be two numbers, as in (0.9, 0.999), not {betas!r}")
    return number("betas", betas[0], at_least=0, below=1), number(
        "betas", betas[1], at_least=0, below=1
    )


@value
class sgd(Optimizer):
    """w ← w - lr·g: a step against the gradient; with momentum, v ← momentum·v + g takes the place
    of g

    nesterov looks ahead along v; weight_decay adds weight_decay·w to g.
    Source: Robbins, Monro 1951; Sutskever et al. 2013; torch.optim.SGD.
    """

    _: KW_ONLY
    lr: float | Schedule = 0.1
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_lr(self.lr)
        number("momentum", self.momentum, at_least=0, below=1)
        number("weight_decay", self.weight_decay, at_least=0)
        if flag("nesterov", self.nesterov) and not self.momentum:
            raise ArgumentError(
                "nesterov needs momentum, as in sgd(lr=0.1, momentum=0.9, nesterov=True)"
            )

    def options(self) -> dict[str, Any]:
        return {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
        }

    @property
    def torch_class(self) -> Callable[..., torch.optim.Optimizer]:
        return torch.optim.SGD

    def prepare(self, parameters: Float[Tensor, "P"], gradients: Float[Tensor, "P"]) -> Stepper:
        memory: dict[str, Any] = {}

        def descend(rate: float) -> None:
            parameters.add_(gradients, alpha=-rate)

        def update(
            rate: float,
        ) -> (
            None
        ):  # the functional form of torch.optim.SGD, which a small network's step does not wait for
            buffers = [memory.get("momentum_buffer")]  # v, made by the first step
            sgd_step(
                [parameters],
                [gradients],
                buffers,
                lr=rate,
                dampening=0.0,
                maximize=False,
                foreach=False,
                **self.options(),
            )
            memory["momentum_buffer"] = buffers[0]

        return Stepper(self.lr, descend if self.plain else update, memory)

    @property
    def plain(self) -> bool:
        """Whether a step is lr·g and nothing else."""
        return not self.momentum and not self.weight_decay


@value
class adam(Optimizer):
    """w ← w - lr·m/(√v + eps): m and v are running means of g and g², corrected for their start at
    0

    weight_decay adds weight_decay·w to g. Source: Kingma, Ba 2015, Adam, algorithm 1;
    torch.optim.Adam.
    """

    _: KW_ONLY
    lr: float | Schedule = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_lr(self.lr)
        vars(self).update(betas=_check_betas(self.betas))
        number("eps", self.eps, above=0)
        number("weight_decay", self.weight_decay, at_least=0)

    def options(self) -> dict[str, Any]:
        return {"betas": self.betas, "eps": self.eps, "weight_decay": self.weight_decay}

    @property
    def torch_class(self) -> Callable[..., torch.optim.Optimizer]:
        return functools.partial(torch.optim.Adam, fused=True)

    def prepare(self, parameters: Float[Tensor, "P"], gradients: Float[Tensor, "P"]) -> Stepper:
        return _prepare_adam(self, parameters, gradients, decoupled=False)


@value
class adamw(Optimizer):
    """adam, with the decay taken from the weights themselves: w ← w - lr·weight_decay·w before each
    step

    Source: Loshchilov, Hutter 2019, Decoupled Weight Decay Regularization; torch.optim.AdamW.
    """

    _: KW_ONLY
    lr: float | Schedule = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        _check_lr(self.lr)
        vars(self).update(betas=_check_betas(self.betas))
        number("eps", self.eps, above=0)
        number("weight_decay", self.weight_decay, at_least=0)

    def options(self) -> dict[str, Any]:
        return {"betas": self.betas, "eps": self.eps, "weight_decay": self.weight_decay}

    @property
    def torch_class(self) -> Callable[..., torch.optim.Optimizer]:
        return functools.partial(torch.optim.AdamW, fused=True)

    def prepare(self, parameters: Float[Tensor, "P"], gradients: Float[Tensor, "P"]) -> Stepper:
        return _prepare_adam(self, parameters, gradients, decoupled=True)


@value
class rmsprop(Optimizer):
    """w ← w - lr·g/(√v + eps): v is the running mean of g²; with momentum on the quotient

    Source: Tieleman, Hinton 2012, Coursera lecture 6.5; torch.optim.RMSprop.
    """

    _: KW_ONLY
    lr: float | Schedule = 0.01
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_lr(self.lr)
        number("alpha", self.alpha, at_least=0, below=1)
        number("eps", self.eps, above=0)
        number("momentum", self.momentum, at_least=0, below=1)
        number("weight_decay", self.weight_decay, at_least=0)

    def options(self) -> dict[str, Any]:
        return {
            "alpha": self.alpha,
            "eps": self.eps,
            "momentum": self.momentum,
            "weight_decay": self.weight_decay,
        }

    @property
    def torch_class(self) -> Callable[..., torch.optim.Optimizer]:
        return torch.optim.RMSprop


@value
class adagrad(Optimizer):
    """w ← w - lr·g/(√s + eps): s is the sum of all g² so far, so often-moved weights move less and
    less

    Source: Duchi, Hazan, Singer 2011, Adaptive Subgradient Methods; torch.optim.Adagrad.
    """

    _: KW_ONLY
    lr: float | Schedule = 0.01
    eps: float = 1e-10
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_lr(self.lr)
        number("eps", self.eps, above=0)
        number("weight_decay", self.weight_decay, at_least=0)

    def options(self) -> dict[str, Any]:
        return {"eps": self.eps, "weight_decay": self.weight_decay}

    @property
    def torch_class(self) -> Callable[..., torch.optim.Optimizer]:
        return torch.optim.Adagrad


def choose(
    answers_0_or_1: bool, fixed: bool, table_steps: int | None = None, **options: Any
) -> tuple[Optimizer, str]:
    """What `auto()` takes for a perceptron or another network, with or without a fixed number of
    steps, and why; for a table in a file, of which an epoch has `table_steps`.
    """
    if table_steps is not None and fixed and not answers_0_or_1 and "lr" not in options:
        decay = 1 / (TABLE_RATE * TABLE_EPOCHS * table_steps)
        decay = float(f"{min(MOST_DECAY, max(LEAST_DECAY, decay)):.2g}")
        return (
            adamw(lr=one_cycle(TABLE_RATE), **{"weight_decay": decay, **options}),
            "adam adapts the step size of each parameter; one_cycle starts and ends gently; "
            "weight decay keeps small what few rows cannot tell, the more the fewer rows",
        )
    if answers_0_or_1:
        return sgd(**{"lr": 1.0, **options}), "the perceptron rule adds or takes away whole inputs"
    why = "adam adapts the step size of each parameter"
    if "lr" in options:
        return adam(**options), why
    if fixed:
        return adam(lr=one_cycle(0.01), **options), f"{why}; one_cycle starts and ends gently"
    return adam(lr=0.003, **options), f"{why}; a constant lr, as the end is not known"
