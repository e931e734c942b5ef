"""What each optimizer does to one weight, written out with its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sevensteps.steps.step import adagrad, adam, adamw, rmsprop, sgd


@dataclass(frozen=True)
class Update:
    """One weight in one step: the `formula` of the optimizer, `lines` with its numbers, and the new
    `value` that they give in float64.
    """

    formula: str
    lines: tuple[str, ...]
    value: float


def write_update(
    optimizer: Any,
    lr: float,
    old: float,
    g: float,
    before: Mapping[str, float],
    after: Mapping[str, float],
) -> Update:
    """The step of `optimizer` (a value of step 5) at the learning rate `lr` for a weight `old` with
    the gradient `g`.

    `before` and `after` are the optimizer's memory for this weight, by PyTorch's names, before and
    after the step. `after` only gives the number of the step: what the memory becomes is computed
    here.
    """
    decay = optimizer.weight_decay
    lines = []
    if decay and not isinstance(optimizer, adamw):
        lines.append(
            f"g = gradient + weight_decay·old = {n(g)} + {n(decay)} · {n(old)} = "
            f"{r(g + decay * old)}"
        )
        g = g + decay * old
    return RULES[type(optimizer)](optimizer, lr, old, g, before, after, lines)


def n(value: float) -> str:
    """A number inside a formula, in as many digits as float32 has; in brackets if it is below 0."""
    return f"({r(value)})" if value < 0 else r(value)


def r(value: float) -> str:
    """The result of a formula, in as many digits as float32 has."""
    return f"{value:.9g}"


def _sgd(
    o: Any,
    lr: float,
    old: float,
    g: float,
    before: Mapping[str, float],
    after: Mapping[str, float],
    lines: list[str],
) -> Update:
    name = "g" if lines else "gradient"
    if not o.momentum:
        value = old - lr * g
        return Update(
            f"new = old − lr · {name}",
            (*lines, f"new = {n(old)} − {n(lr)} · {n(g)} = {r(value)}"),
            value,
        )
    buffer = before.get("momentum_buffer", 0.0)
    v = o.momentum * buffer + g
    lines.append(f"v = momentum · v + {name} = {n(o.momentum)} · {n(buffer)} + {n(g)} = {r(v)}")
    if o.nesterov:
        ahead = g + o.momentum * v
        lines.append(
            f"ahead = {name} + momentum · v = {n(g)} + {n(o.momentum)} · {n(v)} = {r(ahead)}"
        )
    push = ahead if o.nesterov else v
    value = old - lr * push
    lines.append(f"new = {n(old)} − {n(lr)} · {n(push)} = {r(value)}")
    return Update(
        f"v = momentum · v + {name}; new = old − lr · "
        f"{f'({name} + momentum · v)' if o.nesterov else 'v'}",
        tuple(lines),
        value,
    )


def _adam(
    o: Any,
    lr: float,
    old: float,
    g: float,
    before: Mapping[str, float],
    after: Mapping[str, float],
    lines: list[str],
) -> Update:
    (b1, b2), t = o.betas, round(after["step"])
    formula = "m, v = running means of g, g²; new = old − lr · m̂ / (√v̂ + eps)"
    if isinstance(o, adamw):
        shrunk = old - lr * o.weight_decay * old
        lines.append(
            f"old = old − lr · weight_decay · old = {n(old)} − {n(lr)} · {n(o.weight_decay)} · "
            f"{n(old)} = {r(shrunk)}"
        )
        old, formula = shrunk, f"old = old − lr · weight_decay · old; {formula}"
    m0, v0 = before.get("exp_avg", 0.0), before.get("exp_avg_sq", 0.0)
    m, v = b1 * m0 + (1 - b1) * g, b2 * v0 + (1 - b2) * g * g
    level, size = m / (1 - b1**t), math.sqrt(v / (1 - b2**t))
    value = old - lr * level / (size + o.eps)
    lines += [
        f"m = {n(b1)} · {n(m0)} + {n(1 - b1)} · {n(g)} = {r(m)}",
        f"v = {n(b2)} · {n(v0)} + {n(1 - b2)} · {n(g)}² = {r(v)}",
        f"m̂ = m / (1 − {n(b1)}^{t}) = {r(level)}; √v̂ = √(v / (1 − {n(b2)}^{t})) = {r(size)}",
        f"new = {n(old)} − {n(lr)} · {n(level)} / ({n(size)} + {n(o.eps)}) = {r(value)}",
    ]
    return Update(formula, tuple(lines), value)


def _rmsprop(
    o: Any,
    lr: float,
    old: float,
    g: float,
    before: Mapping[str, float],
    after: Mapping[str, float],
    lines: list[str],
) -> Update:
    name, v0 = "g" if lines else "gradient", before.get("square_avg", 0.0)
    v = o.alpha * v0 + (1 - o.alpha) * g * g
    push = g / (math.sqrt(v) + o.eps)
    lines += [
        f"v = {n(o.alpha)} · {n(v0)} + {n(1 - o.alpha)} · {n(g)}² = {r(v)}",
        f"push = {name} / (√v + eps) = {n(g)} / ({n(math.sqrt(v))} + {n(o.eps)}) = {r(push)}",
    ]
    if o.momentum:
        buffer = before.get("momentum_buffer", 0.0)
        b = o.momentum * buffer + push
        lines.append(
            f"b = momentum · b + push = {n(o.momentum)} · {n(buffer)} + {n(push)} = {r(b)}"
        )
        push = b
    value = old - lr * push
    lines.append(f"new = {n(old)} − {n(lr)} · {n(push)} = {r(value)}")
    return Update(
        f"v = running mean of {name}²; new = old − lr · "
        f"{'b' if o.momentum else f'{name} / (√v + eps)'}",
        tuple(lines),
        value,
    )


def _adagrad(
    o: Any,
    lr: float,
    old: float,
    g: float,
    before: Mapping[str, float],
    after: Mapping[str, float],
    lines: list[str],
) -> Update:
    name, s0 = "g" if lines else "gradient", before.get("sum", 0.0)
    s = s0 + g * g
    value = old - lr * g / (math.sqrt(s) + o.eps)
    lines += [
        f"s = s + {name}² = {n(s0)} + {n(g)}² = {r(s)}",
        f"new = {n(old)} − {n(lr)} · {n(g)} / ({n(math.sqrt(s))} + {n(o.eps)}) = {r(value)}",
    ]
    return Update(
        f"s = sum of all {name}² so far; new = old − lr · {name} / (√s + eps)", tuple(lines), value
    )


RULES: dict[type, Callable[..., Update]] = {
    sgd: _sgd,
    adam: _adam,
    adamw: _adam,
    rmsprop: _rmsprop,
    adagrad: _adagrad,
}
