"""Activations: each derivative beside its forward line, and what is known of each in one row.

A new activation is a class here (or none, where PyTorch's autograd has to do) and a row of
`ACTIVATIONS`. All that asks about activations (the chain rule, ensembles, `mlp(activation=…)`,
`auto()`, watching, the doctor, explanations) reads that table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.engine.layer import Layer
from sevensteps.engine.modules import Step

# looked up once: a small network's step feels it
_threshold_backward = torch.ops.aten.threshold_backward.default


class ReLU(Layer):
    fused = False  # whether the layer before has cut its product off at 0 already

    def forward(self, x: Tensor) -> Tensor:
        self.y = x if self.fused else x.clamp_min(0)  # y = max(x, 0)
        return self.y

    def backward(self, g: Tensor) -> Tensor:
        # dy/dx = 1 where x > 0, else 0: torch.where(self.y > 0, g, 0), in PyTorch's own much faster
        # kernel
        dx: Tensor = _threshold_backward(g, self.y, 0)
        return dx


class LeakyReLU(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return F.leaky_relu(x, self.module.negative_slope)  # y = x where x > 0, else a x

    def backward(self, g: Tensor) -> Tensor:
        # dy/dx = 1 where x > 0, else a
        return torch.where(self.x > 0, g, g * self.module.negative_slope)


class Sigmoid(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.y = x.sigmoid()  # y = 1 / (1 + e⁻ˣ)
        return self.y

    def backward(self, g: Tensor) -> Tensor:
        return g.mul_(self.y).mul_(1 - self.y)  # dy/dx = y (1 - y)


class Tanh(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.y = x.tanh()  # y = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)
        return self.y

    def backward(self, g: Tensor) -> Tensor:
        return g.mul_(1 - self.y * self.y)  # dy/dx = 1 - y²


class ELU(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return F.elu(x, self.module.alpha)  # y = x where x > 0, else a (eˣ - 1)

    def backward(self, g: Tensor) -> Tensor:
        # dy/dx = 1 where x > 0, else a eˣ
        return torch.where(self.x > 0, g, g * self.module.alpha * self.x.exp())


class SELU(Layer):
    # with them, mean 0 and variance 1 stay so (Klambauer et al. 2017)
    alpha, scale = (
        1.6732632423543772,
        1.0507009873554805,
    )

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return F.selu(x)  # y = s x where x > 0, else s a (eˣ - 1)

    def backward(self, g: Tensor) -> Tensor:
        g = g.mul_(self.scale)
        # dy/dx = s where x > 0, else s a eˣ
        return torch.where(self.x > 0, g, g * self.alpha * self.x.exp())


class GELU(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x  # y = x Φ(x), or y = ½ x (1 + t) with t = tanh(√(2/π) (x + .044715 x³))
        return F.gelu(x, approximate=self.module.approximate)

    def backward(self, g: Tensor) -> Tensor:
        x = self.x
        slope: Tensor
        if self.module.approximate == "tanh":
            inner = math.sqrt(2 / math.pi)
            t = (inner * (x + 0.044715 * x**3)).tanh()
            slope = 1 + t + x * (1 - t * t) * inner * (1 + 3 * 0.044715 * x * x)
            return g * slope * 0.5  # dy/dx = ½ (1 + t + x t')
        normal = (-0.5 * x * x).exp() / math.sqrt(2 * math.pi)
        # dy/dx = Φ(x) + x φ(x): the normal distribution and its density
        slope = torch.special.ndtr(x) + x * normal
        return g * slope


class Softplus(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        # y = log(1 + e^(bx)) / b; y = x where bx > threshold
        return F.softplus(x, self.module.beta, self.module.threshold)

    def backward(self, g: Tensor) -> Tensor:
        z = self.x * self.module.beta
        # dy/dx = sigmoid(bx), or 1
        return torch.where(z > self.module.threshold, g, g * z.sigmoid())


class Identity(Layer):
    def forward(self, x: Tensor) -> Tensor:
        return x  # y = x

    def backward(self, g: Tensor) -> Tensor:
        return g  # dy/dx = 1


class Softmax(Layer):
    exact = True

    @staticmethod
    def refusal(module: Any) -> str | None:
        return "it leaves open along which dimension (dim=None)" if module.dim is None else None

    def forward(self, x: Tensor) -> Tensor:
        self.y = x.softmax(self.module.dim)  # yᵢ = eˣⁱ / Σⱼ eˣʲ
        return self.y

    def backward(self, g: Tensor) -> Tensor:
        # dyᵢ/dxⱼ = yᵢ ([i = j] - yⱼ)
        return self.y * (g - (g * self.y).sum(self.module.dim, keepdim=True))


class LogSoftmax(Layer):
    exact = True
    refusal = Softmax.refusal

    def forward(self, x: Tensor) -> Tensor:
        self.y = x.log_softmax(self.module.dim)  # yᵢ = xᵢ - log Σⱼ eˣʲ
        return self.y

    def backward(self, g: Tensor) -> Tensor:
        return g - self.y.exp() * g.sum(self.module.dim, keepdim=True)  # dyᵢ/dxⱼ = [i = j] - e^yⱼ


@dataclass(frozen=True)
class Activation:
    """What is known of one activation function.

    `name` is its name in the notation and in findings, `module` its PyTorch module (None: only ever
    called as a function), `layer` the class above with its derivative (None: none is written).
    """

    name: str
    module: type[nn.Module] | None
    layer: type[Layer] | None = None
    elementwise: bool = True  # each number of the output depends on one number of the input
    initializer: str = "kaiming_normal"  # the initial weights that suit it
    # the interval of its values, where that is bounded on both sides or by 0 from below
    output_range: tuple[float, float] | None = None
    saturates: bool = False  # flat near both ends of its range
    steepest: float | None = None  # its greatest derivative, where it saturates
    rectifies: bool = False  # value and derivative are 0 on one side: its units can die
    keeps_sign: bool = False  # above 0 where its input is, and only there
    derivative: str | None = None  # the derivative as a formula of its input x or its value y
    operations: tuple[str, ...] = ()  # what PyTorch's graph calls it


# fmt: off
ACTIVATIONS: dict[str, Activation] = {row.name: row for row in (
    # with a written derivative: what mlp(activation=…) offers, in this order
    Activation("relu", nn.ReLU, ReLU, output_range=(0.0, math.inf), rectifies=True, keeps_sign=True,
               operations=("Relu", "Threshold", "ClampMin")),
    Activation("leaky_relu", nn.LeakyReLU, LeakyReLU, keeps_sign=True, operations=("LeakyRelu",)),
    Activation("sigmoid", nn.Sigmoid, Sigmoid, initializer="xavier_normal", output_range=(0.0, 1.0),
               saturates=True, steepest=0.25, derivative="y (1 - y)", operations=("Sigmoid",)),
    Activation("tanh", nn.Tanh, Tanh, initializer="xavier_normal", output_range=(-1.0, 1.0),
               saturates=True, steepest=1.0, keeps_sign=True, derivative="1 - y²",
               operations=("Tanh",)),
    Activation("elu", nn.ELU, ELU, keeps_sign=True, operations=("Elu",)),
    Activation("selu", nn.SELU, SELU, initializer="lecun_normal", keeps_sign=True),
    Activation("gelu", nn.GELU, GELU, keeps_sign=True, operations=("Gelu",)),
    Activation("softplus", nn.Softplus, Softplus, initializer="xavier_normal",
               output_range=(0.0, math.inf), operations=("Softplus",)),
    Activation("identity", nn.Identity, Identity, initializer="xavier_normal", keeps_sign=True),
    Activation("softmax", nn.Softmax, Softmax, elementwise=False, output_range=(0.0, 1.0),
               saturates=True, operations=("Softmax",)),
    Activation("log_softmax", nn.LogSoftmax, LogSoftmax, elementwise=False,
               operations=("LogSoftmax",)),
    # modules that are recognised in other people's networks
    Activation("step", Step, keeps_sign=True),
    Activation("relu6", nn.ReLU6, output_range=(0.0, 6.0), rectifies=True, keeps_sign=True),
    Activation("prelu", nn.PReLU),
    Activation("celu", nn.CELU, keeps_sign=True, operations=("Celu",)),
    Activation("silu", nn.SiLU, keeps_sign=True, operations=("Silu",)),
    Activation("mish", nn.Mish, keeps_sign=True, operations=("Mish",)),
    Activation("hardsigmoid", nn.Hardsigmoid, output_range=(0.0, 1.0), saturates=True,
               steepest=1 / 6),
    Activation("hardtanh", nn.Hardtanh, output_range=(-1.0, 1.0), saturates=True, steepest=1.0,
               keeps_sign=True, operations=("Hardtanh",)),
    Activation("softsign", nn.Softsign, keeps_sign=True),
    Activation("logsigmoid", nn.LogSigmoid, operations=("LogSigmoid",)),
    # functions without a module, recognised by what they leave in PyTorch's graph
    Activation("clamp", None, rectifies=True, operations=("Clamp",)),
    Activation("exp", None, operations=("Exp",)),
    Activation("pow", None, operations=("Pow",)),
    Activation("sin", None, operations=("Sin",)),
    Activation("abs", None, operations=("Abs",)),
)}
# fmt: on

UNKNOWN = Activation("", None)
"""The row of what is no activation, or none that is known."""


def activation_of(module: nn.Module) -> Activation | None:
    """The row of exactly this module's class; None where it is no activation that is known.

    >>> activation_of(nn.Tanh()).output_range
    (-1.0, 1.0)
    """
    return next((row for row in ACTIVATIONS.values() if type(module) is row.module), None)


def activation_names() -> list[str]:
    """The names that `mlp(activation=…)` takes: what has a written derivative and works number by
    number.
    """
    return [row.name for row in ACTIVATIONS.values() if row.layer is not None and row.elementwise]


def activation_module(name: str) -> nn.Module:
    """A new module of the activation of this name."""
    kind = ACTIVATIONS[name].module
    if kind is None:
        raise KeyError(name)
    return kind()
