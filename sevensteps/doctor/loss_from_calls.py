"""Which loss a loop uses, by the call of the loss function that was seen.

The call says more than a gradient can: weights, `ignore_index`, smoothing, and how an output of
tokens or pictures was laid out for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.doctor.identify_loss import KNOWN, IdentifiedLoss, KnownLoss
from sevensteps.doctor.kind_of_task import entropy_of_counts
from sevensteps.doctor.loss_purpose import ERROR_LOSSES
from sevensteps.observe.call import ELEMENTWISE_LOSSES, Call, LossTerm
from sevensteps.observe.look import Look

CLASS_LOSSES = ("cross_entropy", "nll_loss", "multi_margin_loss")
ELEMENTWISE = (
    *ELEMENTWISE_LOSSES,
    *("binary_cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss"),
    "poisson_nll_loss",
)
LINKS = {"cross_entropy": "softmax", "binary_cross_entropy_with_logits": "sigmoid"}
# operations that only lay numbers out in another shape
LAYOUT = {
    *("View", "Reshape", "ReshapeAlias", "UnsafeView", "Transpose", "Permute", "T", "Squeeze"),
    *("Unsqueeze", "Clone", "ToCopy", "Alias"),
}
# what lies between output and loss function, and how both together are called
TOGETHER: dict[tuple[tuple[str, ...], str], str] = {
    (("LogSoftmax",), "nll_loss"): "cross_entropy",
    (("Softmax", "Log"), "nll_loss"): "cross_entropy",
    (("LogSoftmax",), "cross_entropy"): "cross_entropy",
    (("Sigmoid",), "binary_cross_entropy"): "binary_cross_entropy_with_logits",
    (("Softmax",), "cross_entropy"): "cross_entropy of softmax",
    (("Sigmoid",), "cross_entropy"): "cross_entropy of sigmoid",
    (("Softmax",), "nll_loss"): "nll_loss of softmax",
    (("Log",), "nll_loss"): "nll_loss of log(output)",
    (("Sigmoid",), "binary_cross_entropy_with_logits"): (
        "binary_cross_entropy_with_logits of sigmoid"
    ),
    (("Sigmoid",), "mse_loss"): "mse_loss of sigmoid",
}
OPERATIONS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "Softmax": lambda x, dim: x.softmax(dim),
    "LogSoftmax": lambda x, dim: x.log_softmax(dim),
    "Log": lambda x, dim: x.log(),
    "Sigmoid": lambda x, dim: x.sigmoid(),
}
OPTIONS = (
    "ignore_index",
    "label_smoothing",
    "weight",
    "pos_weight",
    "beta",
    "delta",
    "p",
    "margin",
)
ONE_HOT = 0.8  # share of the rows that have the class as their largest number
REDUCTION_WORDS = ("mean", "sum")


def main_term(look: Look) -> LossTerm | None:
    """The term of the look's loss that a loss function computed, the largest of several.

    Where they are of several outputs, one of those whose loss function was given the targets that
    the loop reports: the answer to these is in that output, however large the loss of another is.
    None where there is none such.
    """
    terms = [term for term in look.loss_terms if term.call is not None and term.sources]
    if len({(term.network, term.output) for term in terms}) > 1:
        calls = Counter(term.call for term in terms)
        terms = [
            term for term in terms if calls[term.call] == 1 and _has_reported_target(look, term)
        ]
    return max(terms, key=lambda term: abs(term.contribution or 0.0), default=None)


def _has_reported_target(look: Look, term: LossTerm) -> bool:
    """Whether the loss function of `term` was given the targets that the loop reports, by the
    first numbers of both. Classes reported as such are no numbers to regress.
    """
    if term.call is None or term.call >= len(look.calls) or look.target is None:
        return False
    call = look.calls[term.call]
    if call.dtypes.get("target", "").startswith("float") != look.target.is_floating_point():
        return False
    first = torch.tensor(call.content.get("target.first", []), dtype=torch.float64)
    reported = look.target.reshape(-1)[: len(first)].double()
    return len(first) > 0 and len(first) == len(reported) and torch.allclose(first, reported, 1e-3)


def _has_another_target(look: Look, call: Call) -> bool | None:
    """Whether the loss function was given other numbers than the loop reports, as many of them;
    None where either is not known.
    """
    if look.target is None or not (first := call.content.get("target.first")):
        return None
    whole = look.shapes.get("target", tuple(look.target.shape))
    reported = look.target.reshape(-1)[: len(first)].double()
    if torch.Size(whole).numel() != torch.Size(call.shapes["target"]).numel():
        return None
    given = torch.tensor(first, dtype=torch.float64)[: len(reported)]
    return not torch.allclose(given, reported, rtol=1e-2, atol=1e-6)


def transforms_targets(looks: Sequence[Look]) -> bool:
    """Whether the loop reports numbers, and compares its outputs with others that are made of them,
    such as their logarithm or standardized ones.
    """
    known = [
        _has_another_target(look, look.calls[term.call])
        for look in looks
        if (term := main_term(look)) is not None
        and term.call is not None
        and look.calls[term.call].name in ELEMENTWISE
        and "target" in look.calls[term.call].shapes
    ]
    told = [another for another in known if another is not None]
    return bool(told) and all(told)


def clamps_outputs(looks: Sequence[Look]) -> bool:
    """Whether outputs are clamped before a function compares them with numbers, so that they
    themselves are no estimates of these.
    """
    for look in looks:
        term = main_term(look)
        if term is not None and term.call is not None:
            clamped = any(op.name.startswith("Clamp") for op in term.operations)
            return clamped and look.calls[term.call].name in ELEMENTWISE
    return False


def identify_from_calls(looks: Sequence[Look]) -> IdentifiedLoss | None:
    """The loss by the first look with a loss function's call on the network's output.

    None where there is none, or where more lies between than can be computed again.
    """
    transformed = transforms_targets(looks) or recodes_classes(looks)
    for look in looks:
        term = main_term(look)
        if term is None or term.call is None or term.call >= len(look.calls):
            continue
        if transformed and look.calls[term.call].name in ELEMENTWISE:
            continue
        identified = _identify(look, term, look.calls[term.call])
        if identified is not None:
            return identified
    return None


def _identify(look: Look, term: LossTerm, call: Call) -> IdentifiedLoss | None:
    shape = look.shapes.get("output")
    if term.output in look.outputs:  # one of several, of which a look has the first rows
        shape = (look.batch, *look.outputs[term.output].shape[1:])
    if (
        call.name not in ERROR_LOSSES
        or "input" not in call.shapes
        or "target" not in call.shapes
        or term.target in ("network", "output", "positions")
        or term.factor is None
        or shape is None
    ):
        return None
    between = [op for op in term.operations if op.name not in LAYOUT]
    names = tuple(op.name for op in between)
    name = TOGETHER.get((names, call.name)) if names else call.name
    if name is None:
        return None
    layout = _layout(shape, call)
    if layout is None:
        return None
    input_shape = call.shapes["input"]
    class_axis = 1 if len(input_shape) > 1 else 0
    for op in between:  # a softmax along another axis is another loss
        if op.name in ("Softmax", "LogSoftmax") and op.dim is not None:
            along = op.dim % len(shape)
            if shape[along] != input_shape[class_axis] or along == 0:
                return None
    target_is_soft = call.name == "cross_entropy" and "float" in call.dtypes["target"]
    if target_is_soft and name == "cross_entropy":
        name = "cross_entropy with probabilities as targets"
    broadcasts = call.broadcasts and grows(input_shape, call.shapes["target"])
    if broadcasts:
        name = f"{name} of shapes that broadcast"
    function = _function(call, names, layout, broadcasts)
    known = next((one for one in KNOWN if one.name == name), None)
    loss = KnownLoss(
        name,
        lambda output, target: function(output, target, "sum"),
        LINKS.get(name.partition(" ")[0], "identity") if known is None else known.link,
        "" if known is None else known.fault,
        broadcasts,
    )
    reduction, factor = _reduction(call, term), term.factor
    if reduction is None or not look.batch:
        return None
    count = _count(call)
    scale = factor * look.batch / (count if reduction == "mean" else 1)
    return IdentifiedLoss(
        loss, scale, 0.0, lambda output, target: factor * function(output, target, reduction), call
    )


def recodes_classes(looks: Sequence[Look]) -> bool:
    """Whether the loop reports classes and compares its outputs with something made of them that is
    no row with the class as its largest number, as with a yes or no to each threshold of grades in
    order: then the largest output is no answer.
    """
    right: list[Tensor] = []
    for look in looks:
        term, labels = main_term(look), look.target
        if term is None or term.call is None or labels is None or labels.is_floating_point():
            continue
        call = look.calls[term.call]
        shape = call.shapes.get("target", ())
        numbers = call.content.get("target.first")
        if call.name not in ELEMENTWISE or len(shape) != 2 or shape[1] < 2 or not numbers:
            continue
        if labels.numel() != len(labels):
            return False
        count = min(len(numbers) // shape[1], len(labels))
        rows = torch.tensor(numbers[: count * shape[1]]).reshape(count, -1)
        largest = rows == rows.max(1, keepdim=True).values
        alone = largest & (largest.sum(1, keepdim=True) == 1)
        columns = torch.arange(shape[1]) == labels.reshape(-1, 1)[:count]
        right.append((alone & columns).any(1))
    return len(right) > 0 and float(torch.cat(right).double().mean()) < ONE_HOT


def grows(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether these shapes broadcast to more numbers than either has."""
    numbers: int = torch.broadcast_shapes(first, second).numel()
    return numbers > max(torch.Size(first).numel(), torch.Size(second).numel())


def _count(call: Call) -> int:
    """How many numbers the loss function takes the mean of."""
    shape = "input" if call.name in ELEMENTWISE else "target"
    if "float" in call.dtypes["target"] and call.name not in ELEMENTWISE:
        return max(call.shapes["input"][0], 1)
    return max(torch.Size(call.shapes[shape]).numel(), 1)


def _reduction(call: Call, term: LossTerm) -> str | None:
    reduction = call.options.get("reduction", "mean")
    if reduction in REDUCTION_WORDS:
        return str(reduction)
    names = [op.name for op in term.weighting]
    if any(name.endswith(("Mul", "Div")) for name in names):
        return None
    return "mean" if "Mean" in names else "sum" if "Sum" in names else None


Layout = Callable[[Tensor], Tensor]


def _layout(output: tuple[int, ...], call: Call) -> Layout | None:
    """How an output of this shape is laid out for the loss function; None where it is not all of
    it.
    """
    wanted = call.shapes["input"]
    if torch.Size(output).numel() != torch.Size(wanted).numel():
        return None
    if output == wanted:
        return lambda o: o
    if call.name in ELEMENTWISE:
        return (lambda o: o.reshape(-1)) if len(wanted) == 1 else None
    if len(wanted) < 2:
        return None
    classes = wanted[1]
    if len(wanted) == 2 and output[-1] == classes:
        return lambda o: o.reshape(-1, o.shape[-1])
    if len(wanted) == len(output) and output[-1] == classes:
        return lambda o: o.movedim(-1, 1)
    if len(wanted) == 2 and len(output) > 2 and output[1] == classes:
        return lambda o: o.movedim(1, -1).reshape(-1, o.shape[1])
    return None


def _function(
    call: Call, names: tuple[str, ...], layout: Layout, broadcasts: bool
) -> Callable[[Tensor, Tensor, str], Tensor]:
    options: dict[str, Any] = {
        name: value
        for name in OPTIONS
        if (value := call.options.get(name)) is not None
        and not (name == "weight" and call.name in ELEMENTWISE)
    }
    one_hot = call.name in ELEMENTWISE and len(call.shapes["target"]) == 2
    function = getattr(F, call.name)

    def compute(output: Tensor, target: Tensor, reduction: str) -> Tensor:
        o = layout(output)
        for name in names:
            o = OPERATIONS[name](o, 1 if o.ndim > 1 else 0)
        t = target
        if call.name in CLASS_LOSSES and "int" in call.dtypes["target"]:
            if t.is_floating_point():
                raise ValueError
            t = t.reshape(-1).long() if o.ndim == 2 else t.long()
        elif not broadcasts:
            if one_hot and t.numel() * o.shape[-1] == o.numel() and o.shape[-1] > 1:
                if t.is_floating_point():
                    raise ValueError
                t = F.one_hot(t.reshape(-1), o.shape[-1])
            t = t.reshape(o.shape).to(o.dtype)
        else:
            o, t = torch.broadcast_tensors(o, t.to(o.dtype))
        given = {
            name: torch.tensor(value, dtype=o.dtype, device=o.device)
            if isinstance(value, list)
            else value
            for name, value in options.items()
        }
        for name in ("weight", "pos_weight"):
            if name in given and name in call.shapes:
                given[name] = given[name].reshape(call.shapes[name])
        answer: Tensor = function(o, t, reduction=reduction, **given)
        return answer

    return compute


def baseline_from_calls(looks: Sequence[Look], target: Tensor | None) -> float | None:
    """The loss of the best answer that ignores the input, for the loss function that was called on
    these targets. None where the loss has other terms, or is another one.

    Class weights, `ignore_index` and smoothing are taken into account.
    """
    look = next((look for look in looks if main_term(look) is not None), None)
    if look is None or target is None:
        return None
    term = main_term(look)
    if term is None or term.call is None:
        return None
    call = look.calls[term.call]
    if (
        len(look.loss_terms) > 1
        or term.factor is None
        or term.factor <= 0
        or term.target not in ("data", "input", "shifted input")
        or _reduction(call, term) != "mean"
        or (seen := look.shapes.get("target")) is None
        or "target" not in call.shapes  # of several, as in CTC
        or torch.Size(seen).numel() != torch.Size(call.shapes["target"]).numel()
    ):
        return None
    best = _baseline(call, target)
    return None if best is None else best * term.factor


def _baseline(call: Call, target: Tensor) -> float | None:
    if call.name == "cross_entropy" and "int" in call.dtypes["target"]:
        if target.is_floating_point():
            return None
        labels = target.reshape(-1)
        labels = labels[labels != call.options.get("ignore_index", -100)]
        if not len(labels) or int(labels.min()) < 0:
            return None
        counts = torch.bincount(labels.long()).double()
        weight = call.options.get("weight")
        if weight is not None:
            if len(weight) < len(counts):
                return None
            counts = counts * torch.tensor(weight[: len(counts)]).double()
        if call.options.get("label_smoothing"):
            return None
        if weight is None:
            return entropy_of_counts(counts)
        return float(torch.special.entr(counts / counts.sum()).sum())
    if any(call.options.get(w) is not None or w in call.shapes for w in ("weight", "pos_weight")):
        return None
    if not len(target) or call.name not in ELEMENTWISE:
        return None
    t = target.double()
    mean = t.mean(0)
    if call.name in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        if "pos_weight" in call.shapes or float(t.min()) < 0 or float(t.max()) > 1:
            return None
        return float((torch.special.entr(mean) + torch.special.entr(1 - mean)).mean())
    return float((t - mean).square().mean()) if call.name == "mse_loss" else None
