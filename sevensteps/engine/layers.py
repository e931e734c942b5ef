"""The chain rule, layer by layer (activations are in activations.py): each layer's derivative
stands beside its forward line.

L is the loss, x a layer's input, y its output, and g = dL/dy what the layer behind hands back.
`backward(g)` is dL/dx = Σ g · dy/dx, the g of the layer before; `write_gradients(g, add)` does the
same for the layer's own parameters. See `Layer`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.engine import matmul
from sevensteps.engine.layer import Layer
from sevensteps.engine.modules import Neuron
from sevensteps.engine.pooling import (
    adaptive_average_matrix,
    average_matrix,
    channels_last,
    padding,
    pair,
)
from sevensteps.errors import ShapeError


class Linear(Layer):
    """Of a `Neuron` spelled with w0, the weights begin with w0, and x with x0 = 1.

    Followed by a ReLU, its product is cut off at 0 by the same kernel that makes it.
    """

    multiplies = True

    def __init__(self, module: nn.Linear | Neuron) -> None:
        super().__init__(module)
        self.weight, self.bias = module.weight, module.bias  # a module finds its parameters slowly
        self.bias_columns = 1 if isinstance(module, Neuron) and module.bias is None else 0
        self.fused_relu = False
        self.shape: torch.Size | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.x = x = F.pad(x, (1, 0), value=1.0) if self.bias_columns else x
        if x.shape != self.shape:  # each product by the way that is the fastest for this shape
            self.shape, self.to_output = x.shape, matmul.fastest(matmul.LINEAR, x, self.weight)
            self.to_input: matmul.Product | None = None
            self.to_weight: matmul.Product | None = None
        return self.to_output(x, self.weight, self.bias, self.fused_relu)  # y = x Wᵀ + b

    def backward(self, g: Tensor) -> Tensor:
        weight = self.weight[:, self.bias_columns :] if self.bias_columns else self.weight
        self.to_input = self.to_input or matmul.fastest(matmul.INPUT, g, weight)
        return self.to_input(g, weight)  # dy/dx = W

    def write_gradients(self, g: Tensor, add: bool) -> None:
        g, x = (g, self.x) if g.ndim == 2 else (g.flatten(0, -2), self.x.flatten(0, -2))
        if "weight" in self.grads:
            self.to_weight = self.to_weight or matmul.fastest(matmul.WEIGHT, g, x)
            self.to_weight(g, x, self.grads["weight"], add)  # dL/dW = gᵀ x
        if "bias" in self.grads:
            self.write_sum("bias", g, (0,), add)  # dL/db = Σ g over the samples: b is added to each


class Conv2d(Layer):
    multiplies = True

    def __init__(self, module: nn.Conv2d) -> None:
        super().__init__(module)
        self.weight, self.bias = module.weight, module.bias

    @staticmethod
    def refusal(module: nn.Conv2d) -> str | None:
        if module.padding_mode != "zeros":
            return f"it pads with padding_mode='{module.padding_mode}', not zeros"
        return (
            "padding='same' here pads one side more than the other"
            if padding(module) is None
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        m, self.x, self.padding = self.module, channels_last(x), padding(self.module) or (0, 0)
        # y[h] = Σᵢ W[i] x[h·stride + i] + b
        return F.conv2d(
            self.x, self.weight, self.bias, m.stride, self.padding, m.dilation, m.groups
        )

    def backward(self, g: Tensor) -> Tensor:
        # dL/dx[h·stride + i] = Σ g[h] W[i]: back along the weights it came by
        return self._back(g, [True, False, False])[0]

    def write_gradients(self, g: Tensor, add: bool) -> None:
        if "weight" in self.grads:
            # dL/dW[i] = Σ g[h] x[h·stride + i], samples and places h
            self.write("weight", self._back(g, [False, True, False])[1], add)
        if "bias" in self.grads:
            self.write_sum("bias", g, (0, 2, 3), add)  # dL/db = Σ g over samples and places

    def _back(self, g: Tensor, needed: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
        # PyTorch's kernel for these sums: dL/dx, dL/dW, dL/db, as `needed`; i runs in steps of
        # `dilation`
        m = self.module
        gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
            g,
            self.x,
            self.weight,
            None,
            m.stride,
            self.padding,
            m.dilation,
            False,
            [0, 0],
            m.groups,
            needed,
        )
        return gradients


class PowersLayer(Layer):
    exact = True

    def forward(self, x: Tensor) -> Tensor:
        n: Tensor = self.module.exponents
        self.x, self.n = x[:, :, None], n
        return (self.x**n).flatten(1)  # y = (xⁿ, …, x², x)

    def backward(self, g: Tensor) -> Tensor:
        slope = self.n * self.x ** (self.n - 1)  # dy/dx = n xⁿ⁻¹
        return (g.reshape(slope.shape) * slope).sum(-1)


class BinsLayer(Layer):
    exact = True

    def forward(self, x: Tensor) -> Tensor:
        m, self.x = self.module, x
        self.shares = (x[:, m.places, None] - m.lower) / m.width
        shares = 2 * self.shares.clamp(0, 1) - 1
        return torch.cat([x.clamp(m.lowest, m.highest), shares.flatten(1)], 1)

    def backward(self, g: Tensor) -> Tensor:
        m, (x, shares) = self.module, (self.x, self.shares)
        # dy/dx = 1 within the range, and 2 / width in the bin that x falls into; else 0
        back: Tensor = g[:, : m.features] * ((x >= m.lowest) & (x <= m.highest))
        inside = (shares >= 0) & (shares <= 1)
        slopes = g[:, m.features :].reshape(shares.shape) * inside * (2 / m.width)
        back.index_add_(1, m.places, slopes.sum(-1))
        return back


class Flatten(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.shape = x.shape
        # y = the same numbers in a row
        return x.flatten(self.module.start_dim, self.module.end_dim)

    def backward(self, g: Tensor) -> Tensor:
        return g.reshape(self.shape)


class DropoutMask(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.mask = self.module.mask(x)
        return x if self.mask is None else x * self.mask  # y = x·m, m = 0 or 1/(1-p)

    def backward(self, g: Tensor) -> Tensor:
        return g if self.mask is None else g.mul_(self.mask)  # dy/dx = m


class MaxPool2d(Layer):
    @staticmethod
    def refusal(module: nn.MaxPool2d) -> str | None:
        return "it returns its indices as a second output" if module.return_indices else None

    def forward(self, x: Tensor) -> Tensor:
        m, self.x = self.module, x  # y = max of the window; `at` is where in the image it is
        y, self.at = F.max_pool2d(
            x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, return_indices=True
        )
        return y

    def backward(self, g: Tensor) -> Tensor:
        m = self.module  # dy/dx = 1 at the maximum, else 0; windows that overlap add up
        dx: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
            g,
            self.x,
            pair(m.kernel_size),
            pair(m.stride),
            pair(m.padding),
            pair(m.dilation),
            m.ceil_mode,
            self.at,
        )
        return dx


class AvgPool2d(Layer):
    def forward(self, x: Tensor) -> Tensor:
        # y = mean of the window = A x Bᵀ, with the windows down and across in A and B
        m, self.shape = (
            self.module,
            x.shape,
        )
        return F.avg_pool2d(
            x,
            m.kernel_size,
            m.stride,
            m.padding,
            m.ceil_mode,
            m.count_include_pad,
            m.divisor_override,
        )

    def backward(self, g: Tensor) -> Tensor:
        down, across = (
            average_matrix(self.module, axis, self.shape[2 + axis], g.shape[2 + axis]).to(g)
            for axis in (0, 1)
        )
        # dL/dx = Aᵀ g B: every output hands an equal share back to each of its inputs
        return down.T @ g @ across


class AdaptiveAvgPool2d(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.shape = x.shape
        # y = A x Bᵀ, windows as even as they go
        return F.adaptive_avg_pool2d(x, self.module.output_size)

    def backward(self, g: Tensor) -> Tensor:
        down, across = (
            adaptive_average_matrix(self.shape[axis], g.shape[axis]).to(g) for axis in (2, 3)
        )
        return down.T @ g @ across  # dL/dx = Aᵀ g B


class BatchNorm(Layer):
    """y = γ x̂ + β with x̂ = (x - μ) / s, s = √(σ² + ε), per feature; μ and σ² of the batch, or in
    eval the running ones.
    """

    exact = True

    def forward(self, x: Tensor) -> Tensor:
        m, self.x = self.module, x
        m._check_input_dim(x)
        # what the statistics are taken over
        self.over = tuple(axis for axis in range(x.ndim) if axis != 1)
        self.shape = [1, -1] + [1] * (x.ndim - 2)
        self.of_batch = m.training or m.running_mean is None
        if self.of_batch and x.numel() == x.shape[1]:
            raise ShapeError(
                f"batch norm over {list(x.shape)}: one number has no variance; use batches of at "
                "least 2"
            )
        if m.training and m.track_running_stats:
            m.num_batches_tracked.add_(1)
            # of the new in the running statistics
            share = 1 / int(m.num_batches_tracked) if m.momentum is None else m.momentum
            running = m.running_mean, m.running_var
        else:
            share, running = 0.0, (None, None) if self.of_batch else (m.running_mean, m.running_var)
        y, mean, inverse = torch.native_batch_norm(
            x, m.weight, m.bias, *running, self.of_batch, share, m.eps
        )
        if not self.of_batch:
            mean, inverse = m.running_mean, (m.running_var + m.eps).rsqrt()
        self.mean, self.inverse = mean.view(self.shape), inverse.view(self.shape)  # μ, 1/s
        return y

    def backward(self, g: Tensor) -> Tensor:
        if self.module.weight is not None:
            g = g * self.module.weight.view(self.shape)  # dL/dx̂ = γ g
        if not self.of_batch:
            return g * self.inverse  # dx̂/dx = 1/s: μ and s do not depend on x
        x_hat = (
            self.x - self.mean
        ) * self.inverse  # dL/dx = (g - mean g - x̂ mean(g x̂)) / s: μ and s move with x too
        return (
            g - g.mean(self.over, keepdim=True) - x_hat * (g * x_hat).mean(self.over, keepdim=True)
        ) * self.inverse

    def write_gradients(self, g: Tensor, add: bool) -> None:
        if "weight" in self.grads:
            # dL/dγ = Σ g x̂
            self.write("weight", (g * (self.x - self.mean)).mul_(self.inverse).sum(self.over), add)
        if "bias" in self.grads:
            self.write_sum("bias", g, self.over, add)  # dL/dβ = Σ g
