"""Step 1, the initialisation: where do the parameters start?

Weights are filled by the rule named; biases by `bias=`: "zeros", "normal" (with the std of
`normal`, else 1) or "label_prior" (the output's bias answers with the shares of the classes, or the
mean target, before anything is learned; other biases are 0). Normalisation layers start as the
identity. Every random number comes from the generator handed in.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.inputs import Inputs, chunks
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.engine.activations import ACTIVATIONS
from sevensteps.engine.modules import Neuron, PixelSimilarity
from sevensteps.engine.parameters import NORMS, biases, output_of, reset, weights
from sevensteps.errors import ArgumentError
from sevensteps.head import Output
from sevensteps.notation import auto, value
from sevensteps.seeds import Isolation

__all__ = [
    "auto",
    "zeros",
    "ones",
    "constant",
    "normal",
    "uniform",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "lecun_normal",
    "orthogonal",
    "lsuv",
    "pixel_frequency",
    "pytorch_default",
    "class_means",
    "as_given",
]

BIASES = ("zeros", "normal", "label_prior")
LSUV_SAMPLES = 512  # enough for a variance within a few percent


class Initializer(ABC):
    """Sets every trainable parameter of a network. `x`, `y` are the training samples, for rules
    that look at them.
    """

    @abstractmethod
    def __call__(
        self,
        network: nn.Module,
        generator: torch.Generator,
        x: Inputs,
        y: Shaped[Tensor, "N ..."],
        output: Output,
    ) -> None:
        """Set the parameters in place."""


@dataclass(frozen=True, repr=False, eq=False)
class WeightRule(Initializer):
    """A rule that fills one weight tensor after the other; then come the biases, as `bias` says.

    Normalisation layers become the identity.
    """

    _: KW_ONLY
    bias: str = "zeros"

    def __post_init__(self) -> None:
        self.check()
        one_of("bias", self.bias, BIASES)

    def check(self) -> None:
        """Refuse arguments that cannot be; those of most rules are checked here."""

    @abstractmethod
    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        """Fill one weight tensor, `[outputs, inputs, …]`, in place."""

    def after(self, network: nn.Module, generator: torch.Generator, x: Inputs, y: Tensor) -> None:
        """What is left to do once all weights are filled and no bias is: nothing, for most."""

    def __call__(
        self,
        network: nn.Module,
        generator: torch.Generator,
        x: Inputs,
        y: Tensor,
        output: Output,
    ) -> None:
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, NORMS):
                    reset(module)  # ones and zeros: nothing is drawn
            for weight in weights(network):
                self.fill(weight, generator)
            self.after(network, generator, x, y)
            vectors = biases(network)
            for vector in vectors:
                if self.bias == "normal":
                    nn.init.normal_(vector, 0.0, getattr(self, "std", 1.0), generator=generator)
                else:
                    nn.init.zeros_(vector)
            if self.bias == "label_prior":
                if not vectors or vectors[-1].shape != (output.size,):
                    raise ArgumentError(
                        f'bias="label_prior" needs a last layer with a bias of {output.size}; use '
                        'bias="zeros"'
                    )
                vectors[-1].copy_(output.prior(y))


@value
class zeros(WeightRule):
    """w = 0: harmless in a single layer, fatal before a hidden one, whose units then stay the same
    for ever

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), ch. 8.4 (breaking symmetry).
    """

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.zeros_(weight)


@value
class ones(WeightRule):
    """w = 1: every unit of a layer computes the same sum

    Source: torch.nn.init.ones_.
    """

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.ones_(weight)


@value
class constant(WeightRule):
    """w = value: the same number everywhere, so the units of a layer stay twins

    Source: torch.nn.init.constant_.
    """

    value: float

    def check(self) -> None:
        number("value", self.value)

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.constant_(weight, self.value)


@value
class normal(WeightRule):
    """w ~ N(0, std²): random numbers of one size for all layers, whatever their width

    `normal(1.0, bias="normal")` is the `randn` that fastbook ch. 4 prints.
    """

    std: float = 0.01

    def check(self) -> None:
        number("std", self.std, at_least=0)

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.normal_(weight, 0.0, self.std, generator=generator)


@value
class uniform(WeightRule):
    """w ~ U(-a, a): any number within ±a is as likely as any other

    Source: torch.nn.init.uniform_.
    """

    a: float = 0.05

    def check(self) -> None:
        number("a", self.a, above=0)

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.uniform_(weight, -self.a, self.a, generator=generator)


@value
class xavier_uniform(WeightRule):
    """w ~ U(±gain·√(6/(inputs + outputs))): keeps signal and gradient about the same size through
    tanh layers

    Source: Glorot, Bengio 2010, Understanding the Difficulty of Training Deep Feedforward Networks,
    equation 16.
    """

    gain: float = 1.0

    def check(self) -> None:
        number("gain", self.gain, above=0)

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.xavier_uniform_(weight, self.gain, generator=generator)


@value
class xavier_normal(WeightRule):
    """w ~ N(0, gain²·2/(inputs + outputs)): xavier_uniform with normal numbers of the same variance

    Source: Glorot, Bengio 2010, equation 12.
    """

    gain: float = 1.0

    def check(self) -> None:
        number("gain", self.gain, above=0)

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.xavier_normal_(weight, self.gain, generator=generator)


@value
class kaiming_uniform(WeightRule):
    """w ~ U(±√(6/inputs)): kaiming_normal with even numbers of the same variance (he_u)

    Source: He et al. 2015, Delving Deep into Rectifiers, equation 10.
    """

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=generator)


@value
class kaiming_normal(WeightRule):
    """w ~ N(0, 2/inputs): the 2 makes up for the half that ReLU cuts off, so deep networks keep
    their signal (He)

    Source: He et al. 2015, Delving Deep into Rectifiers, equation 10.
    """

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


@value
class lecun_normal(WeightRule):
    """w ~ N(0, 1/inputs): keeps the variance of a linear layer; what SELU needs

    Source: LeCun et al. 1998, Efficient BackProp, section 4.6; Klambauer et al. 2017.
    """

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.kaiming_normal_(weight, nonlinearity="linear", generator=generator)


@value
class orthogonal(WeightRule):
    """W Wᵀ = gain²·I: rows at right angles; neither stretches nor shrinks what passes through

    Source: Saxe, McClelland, Ganguli 2014, Exact Solutions to the Nonlinear Dynamics of Learning.
    """

    gain: float = 1.0

    def check(self) -> None:
        number("gain", self.gain, above=0)

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.orthogonal_(weight, self.gain, generator=generator)


@value
class lsuv(WeightRule):
    """orthogonal, then each layer's weights divided by the std of its output on real samples, until
    that is 1

    The biases count as 0 while it measures. Source: Mishkin, Matas 2016, All You Need Is a Good
    Init, algorithm 1.
    """

    tolerance: float = 0.02
    _: KW_ONLY
    iterations: int = 10

    def check(self) -> None:
        number("tolerance", self.tolerance, above=0)
        whole("iterations", self.iterations, at_least=1)

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.orthogonal_(weight, generator=generator)

    def after(self, network: nn.Module, generator: torch.Generator, x: Inputs, y: Tensor) -> None:
        for bias in biases(network):
            nn.init.zeros_(bias)
        chosen = torch.randperm(len(x), generator=generator)[:LSUV_SAMPLES].to(x.device)
        sample = x[chosen]
        layers = [
            m
            for m in network.modules()
            if isinstance(m, nn.Linear | nn.Conv2d | nn.Conv1d | Neuron)
        ]
        training = network.training
        network.eval()
        for layer in layers:
            for _ in range(self.iterations):
                std = float(output_of(layer, network, sample).std())
                if (
                    not layer.weight.requires_grad
                    or not math.isfinite(std)
                    or std == 0
                    or abs(std - 1) < self.tolerance
                ):
                    break
                layer.weight /= std
        network.train(training)


@value
class pixel_frequency(WeightRule):
    """w[class, pixel] = share of the class's images in which the pixel is on, minus the mean share
    over classes

    With one output: share for yes minus share for no. On means above `threshold` of the largest
    value. For `predict=linear()`. A start that already knows something. Source: after Samuel's
    remark on weights, fastbook ch. 4.
    """

    threshold: float = 0.5

    def check(self) -> None:
        number("threshold", self.threshold, at_least=0, below=1)

    def fill(self, weight: Tensor, generator: torch.Generator) -> None:
        nn.init.zeros_(weight)

    def after(self, network: nn.Module, generator: torch.Generator, x: Inputs, y: Tensor) -> None:
        matrices = weights(network)
        if (
            len(matrices) != 1
            or matrices[0].ndim != 2
            or matrices[0].shape[1] != x.shape[1:].numel()
        ):
            raise ArgumentError(
                "pixel_frequency sets one weight per class and pixel, so it needs a network of "
                "one layer; "
                "use predict=linear(), or initialize=kaiming_normal()"
            )
        if y.is_floating_point() and not ((y == 0) | (y == 1)).all():
            raise ArgumentError(
                "pixel_frequency counts images of each class, but the targets are no classes; use "
                "initialize=zeros()"
            )
        highest = max(float(pixels.max()) for pixels, _ in chunks(x, y))
        answers = y if y.ndim == 2 else nn.functional.one_hot(y, max(2, len(matrices[0])))
        answers = torch.cat([1 - answers, answers], 1) if answers.shape[1] == 1 else answers
        member = answers.to(x.dtype)
        counts = sum(
            of.T @ (pixels.flatten(1) > self.threshold * highest).to(x.dtype)
            for pixels, of in chunks(x, member)
        )
        shares = counts / member.sum(0).clamp_min(1)[:, None]
        matrices[0].copy_(
            shares[1:] - shares[:1] if len(matrices[0]) == 1 else shares - shares.mean(0)
        )


@value
class pytorch_default(Initializer):
    """what each PyTorch layer does by itself: w and b ~ U(±1/√inputs) for linear and convolution
    layers

    Its variance 1/(3·inputs) shrinks the signal of deep ReLU networks by about √3·√2 a layer.
    Source: torch.nn.Linear.reset_parameters (kaiming_uniform_ with a = √5).
    """

    def __call__(
        self,
        network: nn.Module,
        generator: torch.Generator,
        x: Inputs,
        y: Tensor,
        output: Output,
    ) -> None:
        isolation = Isolation(generator)
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.modules.conv._ConvNd | Neuron):
                self._fill(module, generator)
            elif callable(getattr(module, "reset_parameters", None)):
                with isolation:  # such a method takes no generator
                    reset(module)

    def _fill(self, module: nn.Module, generator: torch.Generator) -> None:
        with torch.no_grad():
            for weight in weights(module):
                nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
            for bias in biases(module):
                weight = module.get_parameter("weight")
                inputs = (
                    module.in_features
                    if isinstance(module, Neuron)
                    else nn.init._calculate_fan_in_and_fan_out(weight)[0]
                )
                nn.init.uniform_(
                    bias, -1 / math.sqrt(inputs), 1 / math.sqrt(inputs), generator=generator
                )


@value
class class_means(Initializer):
    """the mean image of each class: what pixel_similarity compares with; nothing else is set

    Source: fastbook ch. 4.
    """

    def __call__(
        self,
        network: nn.Module,
        generator: torch.Generator,
        x: Inputs,
        y: Tensor,
        output: Output,
    ) -> None:
        modules = [m for m in network.modules() if isinstance(m, PixelSimilarity)]
        if not modules:
            raise ArgumentError(
                "class_means sets what pixel_similarity compares with; use it with "
                "predict=pixel_similarity()"
            )
        labels = y.reshape(-1).long()
        for module in modules:
            if isinstance(x, StreamedInputs):
                member = nn.functional.one_hot(labels, len(module.means)).to(x.dtype)
                sums = sum(of.T @ pixels.flatten(1) for pixels, of in chunks(x, member))
                module.means.copy_((sums / member.sum(0)[:, None]).reshape(module.means.shape))
            else:
                module.fit(x, labels)


@value
class as_given(Initializer):
    """the parameters that a network from outside came with: trained before, or set by its own code

    Source: torch.nn.Module.
    """

    def __call__(
        self,
        network: nn.Module,
        generator: torch.Generator,
        x: Inputs,
        y: Tensor,
        output: Output,
    ) -> None:
        return None


def choose(activation: str, single: bool, **options: Any) -> tuple[Any, str]:
    """What `auto()` takes for a network with hidden units of `activation`, or without hidden units
    (`single`), and why.
    """
    if single:
        return zeros(
            **options
        ), "zeros are harmless in a single layer: its outputs get different gradients at once"
    reasons = {
        "lecun_normal": "SELU keeps its signal with weights of variance 1/inputs",
        "xavier_normal": f"{activation} units keep signal and gradient with weights of variance "
        "2/(inputs + outputs)",
        "kaiming_normal": f"{activation} units keep their signal with weights of variance 2/inputs",
    }
    row = ACTIVATIONS.get(activation)
    name = row.initializer if row is not None else "kaiming_normal"
    rules = {
        "lecun_normal": lecun_normal,
        "xavier_normal": xavier_normal,
        "kaiming_normal": kaiming_normal,
    }
    return rules[name](**options), reasons[name]
