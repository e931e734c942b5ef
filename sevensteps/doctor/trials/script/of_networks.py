"""Alterations of a network: of what it is given, and of what it starts with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.asking import set_mode
from sevensteps.doctor.trials.script.base import (
    UNCHANGED,
    AlteredTraining,
    Intervention,
    random_power,
    random_seed,
)
from sevensteps.doctor.trials.script.seeds import script_generator
from sevensteps.observe.call_kinds import Noted


class Rescale:
    """A hook before a network's forward pass: its first tensor x becomes (x - offset) / scale.

    `offset` and `scale` have a number for each feature of the last axis, or for each channel of
    images.
    """

    def __init__(self, offset: Tensor, scale: Tensor) -> None:
        self.offset, self.scale = offset, scale

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not arguments or not isinstance(arguments[0], Tensor):
            return None
        x = arguments[0]
        if not x.is_floating_point() or x.ndim != self.offset.ndim:
            return None
        return ((x - self.offset.to(x)) / self.scale.to(x), *arguments[1:])


def mean_and_spread(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of inputs `[N, F]` or `[N, T, F]` for each feature, of images
    `[N, C, ...]` for each channel, in a shape that broadcasts; 1 where nothing varies.
    """
    over = [0] if x.ndim < 3 else [0, 1] if x.ndim == 3 else [0, *range(2, x.ndim)]
    values = x.double()
    spread = values.std(over, correction=0, keepdim=True)
    varies = values.amax(over, keepdim=True) > values.amin(over, keepdim=True)
    return values.mean(over, keepdim=True), torch.where(varies, spread, 1.0)


@dataclass
class StandardizeInputs(Intervention):
    """The network's inputs get mean 0 and standard deviation 1, in training and in evaluation."""

    step: ClassVar[str] = "repeat"

    def control(self, draw: torch.Generator) -> Intervention | None:
        return RescaleInputs(random_seed(draw))

    def network_known(self, training: AlteredTraining) -> None:
        x = training.x
        if x is None or not x.is_floating_point() or x.ndim < 2 or self.applied:
            return
        offset, scale = self._rescaling(*mean_and_spread(x))
        network = next(iter(training.networks.values()))
        network.register_forward_pre_hook(Rescale(offset.float(), scale.float()))
        self.applied = True

    def _rescaling(self, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        return mean, spread


@dataclass
class RescaleInputs(StandardizeInputs):
    """Each input is moved and scaled as far at most, in a direction drawn at random."""

    seed: int

    def control(self, draw: torch.Generator) -> Intervention | None:
        return None

    def _rescaling(self, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        draw = torch.Generator().manual_seed(self.seed)
        move, power = random_power(draw), random_power(draw)
        return mean * move, spread**power


class Unscale:
    """A hook after a network's forward pass: its output y becomes y * scale + offset."""

    def __init__(self, offset: float, scale: float) -> None:
        self.offset, self.scale = offset, scale

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, Tensor) and output.is_floating_point():
            return output * self.scale + self.offset
        return None


@dataclass
class StandardizeTargets(Intervention):
    """The network learns targets of mean 0 and standard deviation 1, and answers in their own
    units: its output is scaled, and the gradient of a loss in units to the `power` is scaled back.
    """

    mean: float
    spread: float
    power: int
    step: ClassVar[str] = "repeat"

    def control(self, draw: torch.Generator) -> Intervention | None:
        mean = float(f"{self.mean * random_power(draw):.3g}")
        spread = float(f"{self.spread ** random_power(draw):.3g}")
        return StandardizeTargets(mean, spread, self.power)

    def network_known(self, training: AlteredTraining) -> None:
        if not self.applied:
            network = next(iter(training.networks.values()))
            network.register_forward_hook(Unscale(self.mean, self.spread))
            self.applied = True

    def before_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for _, gradient in training.gradients(optimizer):
            gradient.div_(self.spread**self.power)

    def after_step(self, optimizer: torch.optim.Optimizer, training: AlteredTraining) -> None:
        for _, gradient in training.gradients(optimizer):
            gradient.mul_(self.spread**self.power)


@dataclass
class Initialize(Intervention):
    """Weights of dense and convolutional layers are drawn anew by one of `torch.nn.init`'s rules,
    times `gain`; biases are 0. By the rule "normal", of standard deviation .02, embeddings are too.
    """

    rule: str
    gain: float = 1.0
    step: ClassVar[str] = "initialize"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._known: set[int] = set()

    def control(self, draw: torch.Generator) -> Intervention | None:
        return Initialize(self.rule, float(f"{10 ** random_power(draw):.3g}"))

    def network_known(self, training: AlteredTraining) -> None:
        draw = script_generator()
        fill = RULES[self.rule]
        for network in training.networks.values():
            if id(network) in self._known:
                continue
            self._known.add(id(network))
            for layer in network.modules():
                if isinstance(layer, self._layers()) and isinstance(layer.weight, nn.Parameter):
                    with torch.no_grad():
                        fill(layer.weight, generator=draw)
                        layer.weight.mul_(self.gain)
                        if isinstance(bias := getattr(layer, "bias", None), Tensor):
                            bias.zero_()
                    self.applied = True

    def _layers(self) -> tuple[type[nn.Module], ...]:
        return (*LAYERS, nn.Embedding) if self.rule == "normal" else LAYERS


LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
RULES: dict[str, Callable[..., Any]] = {
    "kaiming_normal": functools.partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "kaiming_uniform": functools.partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "lecun_normal": functools.partial(nn.init.kaiming_normal_, nonlinearity="linear"),
    "xavier_normal": nn.init.xavier_normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
    "orthogonal": nn.init.orthogonal_,
    "normal": functools.partial(nn.init.normal_, std=0.02),  # of embeddings as well
}


class ModeByGradients:
    """A hook before a network's forward pass: training mode with gradients, else evaluation mode.

    At random, where it has a seed.
    """

    def __init__(self, seed: int | None) -> None:
        self.seed, self.calls = seed, 0

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        training = torch.is_grad_enabled()
        if self.seed is not None:
            self.calls += 1
            draw = torch.Generator().manual_seed(self.seed + self.calls)
            training = random_power(draw) > 0
        set_mode(module, training)


@dataclass
class SetModes(Intervention):
    """The network is in training mode where gradients are computed, in evaluation mode elsewhere;
    dropout that is called as a function, too.
    """

    step: ClassVar[str] = "predict"
    calls_functions: ClassVar[bool] = True
    changes_loss: ClassVar[bool] = False

    def control(self, draw: torch.Generator) -> Intervention | None:
        return ModesAtRandom(random_seed(draw))

    def network_known(self, training: AlteredTraining) -> None:
        network = list(training.networks.values())[-1]
        network.register_forward_pre_hook(ModeByGradients(self._seed()))
        self.applied = True

    def _seed(self) -> int | None:
        return None

    def call(self, noted: Noted, function: Any, arguments: dict[str, Any], place: str) -> Any:
        x = arguments.get("input")
        if noted.kind == "dropout" and not torch.is_grad_enabled() and isinstance(x, Tensor):
            return x
        return UNCHANGED


@dataclass
class ModesAtRandom(SetModes):
    """The mode is drawn for each call."""

    seed: int
    calls_functions: ClassVar[bool] = False

    def _seed(self) -> int | None:
        return self.seed


@dataclass
class SwapActivation(Intervention):
    """Each ReLU is another function of single numbers."""

    by: str
    step: ClassVar[str] = "predict"
    calls_functions: ClassVar[bool] = True

    def control(self, draw: torch.Generator) -> Intervention | None:
        others = [name for name in SWAPS if name != self.by]
        return SwapActivation(others[int(torch.randint(len(others), (), generator=draw))])

    def call(self, noted: Noted, function: Any, arguments: dict[str, Any], place: str) -> Any:
        x = arguments.get("input")
        if noted.name not in ("relu", "relu_") or not isinstance(x, Tensor):
            return UNCHANGED
        self.applied = True
        return SWAPS[self.by](x)


SWAPS: dict[str, Callable[[Tensor], Tensor]] = {
    "leaky_relu": F.leaky_relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
}
