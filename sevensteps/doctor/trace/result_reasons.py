"""Why the result of an operation is not finite: each rule knows one cause."""

from __future__ import annotations

import math

from sevensteps.doctor.trace.operations import Derivation, Origin
from sevensteps.doctor.trace.reason import (
    LOG_SOFTMAX,
    SMALLEST,
    WITH_LOGITS,
    Reason,
    Rule,
    value_at,
)

LOGS = {"log": 0.0, "log2": 0.0, "log10": 0.0, "log1p": -1.0}
SOFTMAXES = ("softmax", "log_softmax", "safe_softmax", "logsumexp")
EXPONENTIALS = ("exp", "exp2", "expm1", "sinh", "cosh")
ARCS = ("acos", "asin", "arccos", "arcsin")
MEANS = ("mean", "nanmean")
SPREADS = ("std", "var", "std_mean", "var_mean")


def _masked_softmax(origin: Origin) -> Reason | None:
    name = origin.name.strip("_")
    if name not in SOFTMAXES and "dot_product" not in name:
        return None
    for tensor in origin.tensors:
        if tensor.ndim and bool((tensor == -math.inf).all(-1).any()):
            break
    else:
        return None
    return Reason(
        "masked",
        "everything in that row is masked (a sample that is all padding, say), and a softmax over "
        "−inf only is 0/0",
        "leave samples out that are empty (all padding), or keep at least one position unmasked in "
        "each row; a mask of a large negative number (torch.finfo(x.dtype).min) instead of −inf "
        "gives a number, too",
        "a softmax needs one position that is not masked",
        -math.inf,
    )


def _logarithm(origin: Origin) -> Reason | None:
    name = origin.name.strip("_")
    if name not in LOGS or (value := value_at(origin, 0)) is None or value > LOGS[name]:
        return None
    sources = {
        one
        for derivation in origin.derivations[:1]
        if derivation is not None
        for one in derivation.chain()
    }
    what = "0" if value == LOGS[name] else f"{value:.3g}, a negative number"
    advice, source = f"clamp first: {name}(x.clamp(min=1e-8))", ""
    if "softmax" in sources:
        advice = LOG_SOFTMAX
        source = ", of a probability that a softmax rounded to 0"
    elif "sigmoid" in sources:
        advice = WITH_LOGITS
        source = ", of a probability that a sigmoid rounded to 0 or 1"
    return Reason(
        "log",
        f"the logarithm of {what}{source if value == LOGS[name] else ''}",
        advice,
        "the logarithm has no value at 0 and below",
        value,
    )


def _root(origin: Origin) -> Reason | None:
    name, value = origin.name.strip("_"), value_at(origin, 0)
    if name not in ("sqrt", "rsqrt") or value is None or value > 0:
        return None
    if value < 0:
        return Reason(
            "root",
            f"the square root of {value:.3g}, a negative number",
            "clamp first: x.clamp(min=0) + eps under the root",
            "a variance or a squared length may come out a little below 0 by rounding",
            value,
        )
    return Reason(
        "division", "1 over the square root of 0", "add a small number under the root: "
        "rsqrt(x + 1e-8)", "it has no value at 0", 0.0,
    )  # fmt: skip


def _division(origin: Origin) -> Reason | None:
    name = origin.name.strip("_")
    if name not in ("div", "true_divide", "reciprocal", "pow"):
        return None
    if name == "pow":
        return _power(origin)
    place = 0 if name == "reciprocal" else 1
    bottom = value_at(origin, place)
    if bottom is None or abs(bottom) > SMALLEST:
        return None
    top = 1.0 if name == "reciprocal" else value_at(origin, 0)
    return _division_by_zero(
        top, origin.derivations[place] if len(origin.derivations) > place else None, bottom
    )


def _division_by_zero(top: float | None, derivation: Derivation | None, bottom: float) -> Reason:
    chain = [] if derivation is None else derivation.chain()
    what, advice = "", "divide by x.clamp(min=1e-8), or by x + 1e-8"
    if any("norm" in name for name in chain[:3]) or _is_length(chain):
        what = ", the length of a vector of zeros"
        advice = "F.normalize(x, dim=-1), or x / (x.norm(dim=-1, keepdim=True) + 1e-8)"
    elif any(name in SPREADS for name in chain[:4]):
        what = ", the spread of numbers that are all alike"
        advice = "divide by (std + 1e-5)"
    elif chain[:1] == ["sum"]:
        what = ", a sum or a count that is 0"
        advice = "divide by count.clamp(min=1), or leave out samples in which nothing counts"
    shown = "0/0" if top == 0 else "a division by 0"
    return Reason("division", f"{shown}{what}", advice, "nothing can be divided by 0", bottom)


def _is_length(chain: list[str]) -> bool:
    return chain[:2] == ["sqrt", "sum"] and any(n in ("pow", "mul", "square") for n in chain[2:3])


def _power(origin: Origin) -> Reason | None:
    base, exponent = value_at(origin, 0), value_at(origin, 1)
    if base is None or exponent is None:
        return None
    if base == 0 and exponent < 0:
        return Reason(
            "division", f"0 to the power of {exponent:g}", "add a small number first: "
            f"(x + 1e-8) ** {exponent:g}", "it has no value at 0", base,
        )  # fmt: skip
    if base < 0 and exponent != round(exponent):
        return Reason(
            "root", f"{base:.3g}, a negative number, to the power of {exponent:g}",
            "clamp first: x.clamp(min=0)", "it has no value below 0", base,
        )  # fmt: skip
    return None


def _exponential(origin: Origin) -> Reason | None:
    value = value_at(origin, 0)
    if origin.name.strip("_") not in EXPONENTIALS or value is None or abs(value) < 5:
        return None
    kind = str(origin.output.dtype).removeprefix("torch.")
    return Reason(
        "exponential",
        f"{origin.name.strip('_')}({value:.4g}) is beyond every number of {kind}",
        "bound what goes into the exponential, such as log_var.clamp(-10, 10), or use softplus "
        "instead; softmax and logsumexp instead of exp and a sum",
        "an exponential grows beyond every number within a hundred",
        value,
    )


def _arc(origin: Origin) -> Reason | None:
    value = value_at(origin, 0)
    if origin.name.strip("_") not in (*ARCS, "atanh", "acosh") or value is None:
        return None
    return Reason(
        "arc",
        f"{origin.name.strip('_')} of {value:.8g}, where it has no value",
        "clamp the cosine first: x.clamp(-1 + 1e-6, 1 - 1e-6)",
        "a cosine that is computed may come out a little beyond 1",
        value,
    )


def _statistics(origin: Origin) -> Reason | None:
    name = origin.name.strip("_")
    if name not in (*MEANS, *SPREADS) or not origin.tensors:
        return None
    each = origin.tensors[0].numel() / max(origin.output.numel(), 1)
    if each == 0:
        return Reason(
            "empty",
            f"the {name} of nothing: no number was selected",
            "skip the term where nothing is selected, or sum() / count.clamp(min=1)",
            "there is no mean of nothing",
        )
    if name in SPREADS and each == 1:
        return Reason(
            "single",
            f"the {name} of a single number",
            "more than one sample in every batch (drop_last=True), or correction=0 "
            "(unbiased=False)",
            "one number has no spread: it is divided by 1 − 1",
        )
    return None


def _no_targets(origin: Origin) -> Reason | None:
    if "nll_loss" not in origin.name:
        return None
    return Reason(
        "empty",
        "none of its targets counts: all are ignore_index, or of weight 0",
        "skip batches without a target that counts, or reduction='sum' divided by "
        "count.clamp(min=1)",
        "the mean over no target is 0/0",
    )


def _given_infinity(origin: Origin) -> Reason | None:
    infinite = [t for t in origin.tensors if bool(t.isinf().any())]
    numbers = [a for a in origin.args if isinstance(a, float) and math.isinf(a)]
    if not infinite and not numbers:
        return None
    what = "0 × ∞" if origin.name.strip("_") == "mul" else "∞ − ∞, or 0 × ∞"
    return Reason(
        "mask",
        f"{what}: an infinite number of a mask meets a number that makes it NaN",
        "x.masked_fill(mask, −inf), or torch.where, instead of a product or a sum with −inf",
        "0 × ∞ and ∞ − ∞ are no numbers",
    )


RESULT_RULES: tuple[Rule, ...] = (
    _masked_softmax,
    _logarithm,
    _root,
    _division,
    _exponential,
    _arc,
    _statistics,
    _no_targets,
    _given_infinity,
)
