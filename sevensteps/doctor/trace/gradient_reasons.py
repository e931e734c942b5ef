"""Why the gradient that goes back through an operation is not finite: each rule knows one cause."""

from __future__ import annotations

import math
from typing import Any

from sevensteps.doctor.trace.operations import Origin
from sevensteps.doctor.trace.reason import (
    LOG_SOFTMAX,
    SMALLEST,
    WITH_LOGITS,
    Reason,
    Rule,
    saved_at,
)
from sevensteps.observe.loss_graph import operation_name

# what may stand between a root and the squares under it
ASIDE = ("Add", "Clamp", "ClampMin", "Squeeze", "Unsqueeze", "View")


def _slope_of_root(origin: Origin) -> Reason | None:
    name = operation_name(origin.node)
    if name == "Sqrt":
        exponent, value = 0.5, saved_at(origin, "result")
    elif name == "Pow":
        exponent, value = origin.saved.get("exponent"), saved_at(origin, "self")  # type: ignore[assignment]
        exponent = float(exponent) if isinstance(exponent, int | float) else 1.0
    elif "Norm" in name or name == "Dist":
        return _slope_of_norm(origin)
    else:
        return None
    if value is None or abs(value) > SMALLEST or exponent >= 1:
        return None
    return Reason(
        "root",
        f"the slope of {_root_words(name, exponent)} is infinite at 0{_why_zero(origin.node)}"
        + _where_trap(origin),
        "add a small number under the root: sqrt(x + 1e-8); an eps outside of it, and gradient "
        "clipping, do not help: 0 × ∞ is NaN",
        "with it the slope is finite everywhere",
        0.0,
    )


def _root_words(name: str, exponent: float) -> str:
    return "sqrt" if name == "Sqrt" or exponent == 0.5 else f"x ** {exponent:g}"


def _why_zero(node: Any) -> str:
    """Of a root, what makes it 0: equal inputs, or a vector of zeros."""
    names, one = [], node
    for _ in range(8):
        one = next((n for n, _ in one.next_functions if n is not None), None)
        if one is None:
            break
        if (name := operation_name(one)) not in ASIDE:
            names.append(name)
    squares = ("Pow", "Mul", "Square")
    if names[:1] and names[0] in squares:
        names = ["Sum", *names]
    if len(names) > 1 and names[0] in ("Sum", "Mean") and names[1] in squares:
        if names[2:3] in (["Sub"], ["Rsub"]):
            return ": the distance between two equal inputs"
        return ": the length of a vector of zeros"
    if names[:1] in (["Var"], ["Std"]):
        return ": the spread of numbers that are all alike"
    return ""


def _slope_of_norm(origin: Origin) -> Reason | None:
    return Reason(
        "root",
        "the slope of a norm is infinite at a vector of zeros" + _where_trap(origin),
        "a root of the sum of squares with an eps under it: (x.square().sum(-1) + 1e-8).sqrt()",
        "with it the slope is finite everywhere",
        0.0,
    )


def _slope_of_arc(origin: Origin) -> Reason | None:
    name, value = operation_name(origin.node), saved_at(origin, "self")
    if name not in ("Acos", "Asin", "Atanh", "Acosh") or value is None or abs(value) < 0.9999:
        return None
    return Reason(
        "arc",
        f"the slope of {name.lower()} is infinite at {value:.8g}",
        "clamp the cosine first: x.clamp(-1 + 1e-6, 1 - 1e-6)",
        "at ±1 it stands upright",
        value,
    )


def _slope_of_division(origin: Origin) -> Reason | None:
    name = operation_name(origin.node)
    if name == "Log":
        value = saved_at(origin, "self")
    elif name == "Reciprocal":
        value = saved_at(origin, "result")
        value = None if value is None else 1 / value if value else None
    elif name == "Rsqrt":
        value = saved_at(origin, "result")
        value = 0.0 if value is not None and math.isinf(value) else None
    elif name == "Div":
        value = saved_at(origin, "other")
    else:
        return None
    if value is None or abs(value) > 1e-15:
        return None
    if name == "Log" and (advice := _log_advice(origin.node)):
        return Reason(
            "log",
            f"the slope of the logarithm of 0 is infinite{_where_trap(origin)}",
            advice,
            "a probability is rounded to 0 long before its logarithm is out of range",
            value,
        )
    what = {"Log": "the logarithm of 0", "Div": "a division by 0"}.get(name, "1/0")
    return Reason(
        "log" if name == "Log" else "division",
        f"the slope of {what} is infinite{_where_trap(origin)}",
        "make the input safe before the operation, not its result after it: "
        + ("log(x.clamp(min=1e-8))" if name == "Log" else "x / d.clamp(min=1e-8)"),
        "what is thrown away in the forward pass is still differentiated",
        value,
    )


def _log_advice(node: Any) -> str:
    """What to use instead of the logarithm of probabilities; "" where it is of something else."""
    one = node
    for _ in range(6):
        one = next((n for n, _ in one.next_functions if n is not None), None)
        if one is None:
            return ""
        name = operation_name(one)
        if name == "Softmax":
            return LOG_SOFTMAX
        if name == "Sigmoid":
            return WITH_LOGITS
    return ""


def _slope_of_exponential(origin: Origin) -> Reason | None:
    value = saved_at(origin, "result")
    if operation_name(origin.node) != "Exp" or value is None or math.isfinite(value):
        return None
    return Reason(
        "exponential",
        f"an exponential is infinite, and so is its slope{_where_trap(origin)}",
        "bound what goes into the exponential: exp(x.clamp(max=20))",
        "what is thrown away in the forward pass is still differentiated",
    )


def _where_trap(origin: Origin) -> str:
    """That the gradient which comes in is 0: what was selected is something else."""
    if saved_at(origin, "incoming") != 0:
        return ""
    return "; it counts though the gradient that comes to it is 0 (0 × ∞ is NaN)"


GRADIENT_RULES: tuple[Rule, ...] = (
    _slope_of_root,
    _slope_of_arc,
    _slope_of_division,
    _slope_of_exponential,
)
