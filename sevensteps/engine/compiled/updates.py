"""The step of every optimizer as a loop over parameters p and gradients g: what `torch.optim` does.

`options` holds, in the order of `update.OPTIONS`, what the optimizer was set to; `count` is the
number of this step, from 1. `first` and `second` are its memory, one number for each parameter.
"""

from __future__ import annotations

import math

from sevensteps.engine.compiled.machine_code import Array, kernel

SGD, ADAM, ADAMW, RMSPROP, ADAGRAD = range(5)


@kernel
def update(
    kind: int,
    options: Array,
    lr: float,
    count: int,
    p: Array,
    g: Array,
    first: Array,
    second: Array,
) -> None:
    """One step of p, in place."""
    if kind == SGD:
        if options[0] == 0 and options[2] == 0:
            descend(p, g, p.dtype.type(lr))
        else:
            _sgd(options, p, g, first, lr)
    elif kind in (ADAM, ADAMW):
        _adam(kind == ADAMW, options, p, g, first, second, lr, count)
    elif kind == RMSPROP:
        _rmsprop(options, p, g, first, second, lr)
    else:
        _adagrad(options, p, g, first, lr)


@kernel
def descend(p: Array, g: Array, lr: float) -> None:
    """p ← p - lr·g."""
    for i in range(len(p)):
        p[i] -= lr * g[i]


@kernel
def _sgd(options: Array, p: Array, g: Array, v: Array, lr: float) -> None:
    """v ← momentum·v + g, p ← p - lr·v; nesterov: p ← p - lr (g + momentum·v)."""
    number = p.dtype.type
    rate, momentum, nesterov, decay = (
        number(lr),
        number(options[0]),
        options[1] != 0,
        number(options[2]),
    )
    if momentum == 0:
        for i in range(len(p)):
            p[i] -= rate * (g[i] + decay * p[i])
    elif nesterov:
        for i in range(len(p)):
            slope = g[i] + decay * p[i]
            v[i] = momentum * v[i] + slope
            p[i] -= rate * (slope + momentum * v[i])
    else:
        for i in range(len(p)):
            v[i] = momentum * v[i] + (g[i] + decay * p[i])
            p[i] -= rate * v[i]


@kernel
def _adam(
    decoupled: bool,
    options: Array,
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    lr: float,
    count: int,
) -> None:
    """m and v: running means of g and g²; p ← p - lr·m̂/(√v̂ + eps), with m̂ = m / (1 - β₁ᵗ) and v̂ =
    v / (1 - β₂ᵗ). The decay goes into g, or (adamw) is taken from p itself.
    """
    number = p.dtype.type
    one = number(1)
    beta1, beta2, eps = number(options[0]), number(options[1]), number(options[2])
    rest1, rest2 = number(1 - options[0]), number(1 - options[1])
    decay = number(0.0 if decoupled else options[3])
    keep = number(1 - lr * options[3]) if decoupled else one
    size = number(lr / (1 - options[0] ** count))
    root = number(1 / math.sqrt(1 - options[1] ** count))
    for i in range(len(p)):
        x = p[i] * keep
        slope = g[i] + decay * x
        m[i] = beta1 * m[i] + rest1 * slope
        v[i] = beta2 * v[i] + rest2 * slope * slope
        p[i] = x - size * m[i] / (math.sqrt(v[i]) * root + eps)


@kernel
def _rmsprop(options: Array, p: Array, g: Array, v: Array, buffer: Array, lr: float) -> None:
    """v: running mean of g²; p ← p - lr·g/(√v + eps), with momentum on the quotient."""
    number = p.dtype.type
    rate, alpha, rest = number(lr), number(options[0]), number(1 - options[0])
    eps, momentum, decay = number(options[1]), number(options[2]), number(options[3])
    for i in range(len(p)):
        slope = g[i] + decay * p[i]
        v[i] = alpha * v[i] + rest * slope * slope
        quotient = slope / (math.sqrt(v[i]) + eps)
        if momentum > 0:
            buffer[i] = momentum * buffer[i] + quotient
            quotient = buffer[i]
        p[i] -= rate * quotient


@kernel
def _adagrad(options: Array, p: Array, g: Array, total: Array, lr: float) -> None:
    """total ← total + g²; p ← p - lr·g/(√total + eps)."""
    number = p.dtype.type
    rate, eps, decay = number(lr), number(options[0]), number(options[1])
    for i in range(len(p)):
        slope = g[i] + decay * p[i]
        total[i] += slope * slope
        p[i] -= rate * slope / (math.sqrt(total[i]) + eps)
