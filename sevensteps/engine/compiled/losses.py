"""Every loss as a loop: its value for each sample, and its derivative with respect to each output.

Outputs o are [outputs, samples], and so is `slope` = d(mean loss)/do: `share` is 1 / the samples of
the whole batch. Targets t are [all samples] class indices or [all samples, outputs] numbers, of
which the batch takes some `rows`. The formulas are those of `sevensteps/steps/loss.py`.
"""

from __future__ import annotations

import math

from sevensteps.engine.compiled.machine_code import Array, kernel

MEAN_SQUARED_ERROR, MEAN_ABSOLUTE_ERROR, HUBER, BINARY_CROSS_ENTROPY = range(4)
MNIST_LOSS, HINGE, CROSS_ENTROPY, NEGATIVE_LOG_LIKELIHOOD = range(4, 8)


@kernel
def loss_and_slope(
    kind: int,
    setting: float,
    o: Array,
    indices: Array,
    numbers: Array,
    rows: Array,
    losses: Array,
    slope: Array,
    share: float,
) -> float:
    """Write the loss of each sample and the slopes; returns the sum of the losses."""
    if kind == CROSS_ENTROPY:
        _cross_entropy(o, indices, rows, losses, slope, o.dtype.type(share))
    elif kind == NEGATIVE_LOG_LIKELIHOOD:
        _negative_log_likelihood(o, indices, rows, losses, slope, o.dtype.type(share))
    else:
        losses[:] = 0
        each = o.dtype.type(1.0 / len(o))  # several outputs that are judged one by one: their mean
        for u in range(len(o)):
            _judge(kind, setting, o[u], numbers, u, rows, losses, slope[u], each, share)
    total = 0.0
    for s in range(len(rows)):
        total += losses[s]
    return total


@kernel
def _cross_entropy(
    o: Array, t: Array, rows: Array, losses: Array, slope: Array, share: float
) -> None:
    """-log softmax(o)[t] = log Σⱼ e^oⱼ - o_t; d/do = softmax(o) - one_hot(t)."""
    zero, n = o.dtype.type(0), len(rows)
    top, total = losses, slope[-1]  # nothing is written there yet
    for s in range(n):
        top[s] = o[0, s]
    for u in range(1, len(o)):
        for s in range(n):
            top[s] = max(top[s], o[u, s])
    if len(o) == 1:
        for s in range(n):
            losses[s], slope[0, s] = zero, zero
        return
    for u in range(len(o) - 1):
        for s in range(n):
            slope[u, s] = math.exp(o[u, s] - top[s])
    for s in range(n):
        total[s] = math.exp(o[len(o) - 1, s] - top[s])
    for s in range(n):
        last, whole = total[s], zero
        for u in range(len(o) - 1):
            whole += slope[u, s]
        whole += last
        scale, right = share / whole, t[rows[s]]
        losses[s] = math.log(whole) - (o[right, s] - top[s])
        for u in range(len(o)):
            slope[u, s] *= scale
        slope[right, s] -= share


@kernel
def _negative_log_likelihood(
    o: Array, t: Array, rows: Array, losses: Array, slope: Array, share: float
) -> None:
    """-o[t], with o log-probabilities; d/do = -1 in the right row, 0 elsewhere."""
    slope[:] = 0
    for s in range(len(rows)):
        right = t[rows[s]]
        losses[s] = -o[right, s]
        slope[right, s] = -share


@kernel
def _judge(
    kind: int,
    setting: float,
    o: Array,
    numbers: Array,
    u: int,
    rows: Array,
    losses: Array,
    slope: Array,
    each: float,
    share: float,
) -> None:
    """The losses that judge each output alone: output u of every sample."""
    one, zero = o.dtype.type(1), o.dtype.type(0)
    half, two = o.dtype.type(0.5), o.dtype.type(2)
    delta, scale = o.dtype.type(setting), each * o.dtype.type(share)
    for s in range(len(rows)):
        x, t = o[s], numbers[rows[s], u]
        if kind == MEAN_SQUARED_ERROR:  # (o - t)²; 2 (o - t)
            distance = x - t
            loss, d = distance * distance, two * distance
        elif kind == MEAN_ABSOLUTE_ERROR:  # |o - t|; sign(o - t)
            distance = x - t
            loss = abs(distance)
            d = one if distance > zero else -one if distance < zero else distance
        elif kind == HUBER:  # ½ (o - t)² within delta, delta (|o - t| - ½ delta) beyond
            distance = x - t
            if abs(distance) <= delta:
                loss, d = half * distance * distance, distance
            else:
                loss = delta * (abs(distance) - half * delta)
                d = delta if distance > zero else -delta
        elif kind == BINARY_CROSS_ENTROPY:  # log(1 + eᵒ) - t o; sigmoid(o) - t
            loss = max(x, zero) - x * t + math.log1p(math.exp(-abs(x)))
            d = one / (one + math.exp(-x)) - t
        elif kind == MNIST_LOSS:  # 1 - p for a yes, p for a no, p = sigmoid(o); ∓p (1 - p)
            p = one / (one + math.exp(-x))
            loss = one - p if t == one else p
            d = -p * (one - p) if t == one else p * (one - p)
        else:  # hinge: max(0, 1 - s o) with s = ±1; -s where s o < 1
            sign = two * t - one
            margin = one - sign * x
            loss = zero if margin < zero else margin
            d = -sign if sign * x < one else zero
        losses[s] += each * loss
        slope[s] = scale * d
