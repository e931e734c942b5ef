"""The chain rule of activations: each derivative stands beside its forward line, as in
layers.py.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.engine.layer import Layer

_threshold_backward = (
    torch.ops.aten.threshold_backward.default
)  # looked up once: a small network's step feels it


class ReLU(Layer):
    done = False  # whether the layer before has cut its product off at 0 already

    def forward(self, x: Tensor) -> Tensor:
        self.y = x if self.done else x.clamp_min(0)  # y = max(x, 0)
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
        return torch.where(
            self.x > 0, g, g * self.module.negative_slope
        )  # dy/dx = 1 where x > 0, else a


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
        return torch.where(
            self.x > 0, g, g * self.module.alpha * self.x.exp()
        )  # dy/dx = 1 where x > 0, else a eˣ


class SELU(Layer):
    alpha, scale = (
        1.6732632423543772,
        1.0507009873554805,
    )  # with them, mean 0 and variance 1 stay so (Klambauer et al. 2017)

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return F.selu(x)  # y = s x where x > 0, else s a (eˣ - 1)

    def backward(self, g: Tensor) -> Tensor:
        g = g.mul_(self.scale)
        return torch.where(
            self.x > 0, g, g * self.alpha * self.x.exp()
        )  # dy/dx = s where x > 0, else s a eˣ


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
        slope = (
            torch.special.ndtr(x) + x * normal
        )  # dy/dx = Φ(x) + x φ(x): the normal distribution and its density
        return g * slope


class Softplus(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return F.softplus(
            x, self.module.beta, self.module.threshold
        )  # y = log(1 + e^(bx)) / b; y = x where bx > threshold

    def backward(self, g: Tensor) -> Tensor:
        z = self.x * self.module.beta
        return torch.where(
            z > self.module.threshold, g, g * z.sigmoid()
        )  # dy/dx = sigmoid(bx), or 1


class Softmax(Layer):
    exact = True

    @staticmethod
    def refusal(module: Any) -> str | None:
        return "it leaves open along which dimension (dim=None)" if module.dim is None else None

    def forward(self, x: Tensor) -> Tensor:
        self.y = x.softmax(self.module.dim)  # yᵢ = eˣⁱ / Σⱼ eˣʲ
        return self.y

    def backward(self, g: Tensor) -> Tensor:
        return self.y * (
            g - (g * self.y).sum(self.module.dim, keepdim=True)
        )  # dyᵢ/dxⱼ = yᵢ ([i = j] - yⱼ)


class LogSoftmax(Layer):
    exact = True
    refusal = Softmax.refusal

    def forward(self, x: Tensor) -> Tensor:
        self.y = x.log_softmax(self.module.dim)  # yᵢ = xᵢ - log Σⱼ eˣʲ
        return self.y

    def backward(self, g: Tensor) -> Tensor:
        return g - self.y.exp() * g.sum(self.module.dim, keepdim=True)  # dyᵢ/dxⱼ = [i = j] - e^yⱼ
