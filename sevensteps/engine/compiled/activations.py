"""Every activation as a loop: its value, and its derivative times what the layer behind hands back.

x and y are the numbers before and after it, g = dL/dy, and `dx` = dL/dx is written. Units are rows,
samples columns. The formulas are those of `sevensteps/engine/activations.py`; `a` and `b` are the
activation's own settings.
"""

from __future__ import annotations

import math

from sevensteps.engine.compiled.machine_code import Array, kernel
from sevensteps.engine.compiled.views import vector_of

IDENTITY, RELU, LEAKY_RELU, SIGMOID, TANH, ELU, SELU, GELU, GELU_TANH, SOFTPLUS = range(10)
SOFTMAX, LOG_SOFTMAX = 10, 11

# with them, mean 0 and variance 1 stay so (Klambauer et al. 2017)
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
ROOT_HALF = 1 / math.sqrt(2)
DENSITY = 1 / math.sqrt(2 * math.pi)
INNER = math.sqrt(2 / math.pi)


@kernel
def value(kind: int, x: Array, y: Array, a: float, b: float) -> None:
    """y of x, both [units, samples]."""
    if kind in (SOFTMAX, LOG_SOFTMAX):
        _softmax(x, y, kind == LOG_SOFTMAX)
        return
    n = x.size
    flat, out = vector_of(x, 0, n), vector_of(y, 0, n)
    _value(kind, flat, out, x.dtype.type(a), x.dtype.type(b))


@kernel
def derivative(kind: int, x: Array, y: Array, g: Array, dx: Array, a: float, b: float) -> None:
    """dx = g · dy/dx, all [units, samples]."""
    if kind == SOFTMAX:
        _softmax_back(y, g, dx)
        return
    if kind == LOG_SOFTMAX:
        _log_softmax_back(y, g, dx)
        return
    n = x.size
    flat, out = vector_of(x, 0, n), vector_of(y, 0, n)
    slope, back = vector_of(g, 0, n), vector_of(dx, 0, n)
    _derivative(kind, flat, out, slope, back, x.dtype.type(a), x.dtype.type(b))


@kernel
def _value(kind: int, x: Array, y: Array, a: float, b: float) -> None:
    one, zero, half = x.dtype.type(1), x.dtype.type(0), x.dtype.type(0.5)
    n = len(x)
    if kind == IDENTITY:
        for i in range(n):
            y[i] = x[i]
    elif kind == RELU:  # y = max(x, 0)
        for i in range(n):
            y[i] = zero if x[i] < zero else x[i]
    elif kind == LEAKY_RELU:  # y = x where x > 0, else a x
        for i in range(n):
            y[i] = x[i] if x[i] > zero else a * x[i]
    elif kind == SIGMOID:  # y = 1 / (1 + e⁻ˣ)
        for i in range(n):
            y[i] = one / (one + math.exp(-x[i]))
    elif kind == TANH:  # y = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)
        for i in range(n):
            y[i] = math.tanh(x[i])
    elif kind == ELU:  # y = x where x > 0, else a (eˣ - 1)
        for i in range(n):
            y[i] = x[i] if x[i] > zero else a * math.expm1(x[i])
    elif kind == SELU:  # y = s x where x > 0, else s α (eˣ - 1)
        scale, alpha = x.dtype.type(SELU_SCALE), x.dtype.type(SELU_ALPHA)
        for i in range(n):
            y[i] = scale * (x[i] if x[i] > zero else alpha * math.expm1(x[i]))
    elif kind == GELU:  # y = x Φ(x)
        root = x.dtype.type(ROOT_HALF)
        for i in range(n):
            y[i] = half * x[i] * math.erfc(-root * x[i])
    elif kind == GELU_TANH:  # y = ½ x (1 + t) with t = tanh(√(2/π) (x + .044715 x³))
        inner, cube = x.dtype.type(INNER), x.dtype.type(0.044715)
        for i in range(n):
            t = math.tanh(inner * (x[i] + cube * x[i] * x[i] * x[i]))
            y[i] = half * x[i] * (one + t)
    elif kind == SOFTPLUS:  # y = log(1 + e^(ax)) / a; y = x where ax > b
        for i in range(n):
            z = a * x[i]
            y[i] = x[i] if z > b else math.log1p(math.exp(z)) / a


@kernel
def _derivative(kind: int, x: Array, y: Array, g: Array, dx: Array, a: float, b: float) -> None:
    one, zero, half = x.dtype.type(1), x.dtype.type(0), x.dtype.type(0.5)
    n = len(x)
    if kind == IDENTITY:
        for i in range(n):
            dx[i] = g[i]
    elif kind == RELU:  # dy/dx = 1 where x > 0, else 0
        for i in range(n):
            dx[i] = g[i] if y[i] > zero else zero
    elif kind == LEAKY_RELU:  # dy/dx = 1 where x > 0, else a
        for i in range(n):
            dx[i] = g[i] if x[i] > zero else a * g[i]
    elif kind == SIGMOID:  # dy/dx = y (1 - y)
        for i in range(n):
            dx[i] = g[i] * y[i] * (one - y[i])
    elif kind == TANH:  # dy/dx = 1 - y²
        for i in range(n):
            dx[i] = g[i] * (one - y[i] * y[i])
    elif kind == ELU:  # dy/dx = 1 where x > 0, else a eˣ
        for i in range(n):
            dx[i] = g[i] if x[i] > zero else g[i] * a * math.exp(x[i])
    elif kind == SELU:  # dy/dx = s where x > 0, else s α eˣ
        scale, alpha = x.dtype.type(SELU_SCALE), x.dtype.type(SELU_ALPHA)
        for i in range(n):
            dx[i] = g[i] * scale * (one if x[i] > zero else alpha * math.exp(x[i]))
    elif kind == GELU:  # dy/dx = Φ(x) + x φ(x): the normal distribution and its density
        root, density = x.dtype.type(ROOT_HALF), x.dtype.type(DENSITY)
        for i in range(n):
            normal = density * math.exp(-half * x[i] * x[i])
            dx[i] = g[i] * (half * math.erfc(-root * x[i]) + x[i] * normal)
    elif kind == GELU_TANH:  # dy/dx = ½ (1 + t + x t')
        inner, cube = x.dtype.type(INNER), x.dtype.type(0.044715)
        for i in range(n):
            square = x[i] * x[i]
            t = math.tanh(inner * (x[i] + cube * square * x[i]))
            slope = x[i] * (one - t * t) * inner * (one + x.dtype.type(3) * cube * square)
            dx[i] = g[i] * half * (one + t + slope)
    elif kind == SOFTPLUS:  # dy/dx = sigmoid(ax), or 1
        for i in range(n):
            z = a * x[i]
            dx[i] = g[i] if z > b else g[i] / (one + math.exp(-z))


@kernel
def _softmax(x: Array, y: Array, log: bool) -> None:
    """yᵢ = eˣⁱ / Σⱼ eˣʲ over the units of each sample, or its logarithm xᵢ - log Σⱼ eˣʲ."""
    for s in range(x.shape[1]):
        top = x[0, s]
        for u in range(1, len(x)):
            top = max(top, x[u, s])
        total = x.dtype.type(0)
        for u in range(len(x)):
            y[u, s] = math.exp(x[u, s] - top)
            total += y[u, s]
        for u in range(len(x)):
            y[u, s] = (x[u, s] - top) - math.log(total) if log else y[u, s] / total


@kernel
def _softmax_back(y: Array, g: Array, dx: Array) -> None:
    """dyᵢ/dxⱼ = yᵢ ([i = j] - yⱼ)."""
    for s in range(y.shape[1]):
        total = y.dtype.type(0)
        for u in range(len(y)):
            total += g[u, s] * y[u, s]
        for u in range(len(y)):
            dx[u, s] = y[u, s] * (g[u, s] - total)


@kernel
def _log_softmax_back(y: Array, g: Array, dx: Array) -> None:
    """dyᵢ/dxⱼ = [i = j] - e^yⱼ."""
    for s in range(y.shape[1]):
        total = y.dtype.type(0)
        for u in range(len(y)):
            total += g[u, s]
        for u in range(len(y)):
            dx[u, s] = g[u, s] - math.exp(y[u, s]) * total
