"""What a loss of probabilities takes, and what it was handed: logarithms of chances, logits of
either sign, or rates, by the numbers of its call and by the operations before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Measure
from sevensteps.doctor.measures import learned_enough, significant
from sevensteps.doctor.output_path import OutputPath, likelihood, output_paths
from sevensteps.observe.call import Call

# what gives no number below 0, and what gives none above
ABOVE_ZERO = {
    *("Softplus", "Exp", "Abs", "Sqrt", "Norm", "LinalgVectorNorm", "Cdist", "EuclideanDist"),
    *("Pow", "Sigmoid", "Softmax", "Relu", "PairwiseDistance"),
}
BELOW_ZERO = {"LogSigmoid", "LogSoftmax"}
SUMS = {"Sum", "Mean", "Max", "Amax", "Min", "Amin", "Select", "Index", "Slice", "Gather"}
# of two operations, one upon the other, that do the same, what both do
TWICE = {
    ("Exp", "Exp"): "exponential",
    ("Sigmoid", "Sigmoid"): "sigmoid",
    ("Sigmoid", "LogSigmoid"): "sigmoid",
    ("Softmax", "Softmax"): "softmax",
    ("Softmax", "LogSoftmax"): "softmax",
}
NEAR_ZERO = 1e-3  # up to which rounding lifts the logarithm of a chance of 1
HALF = 0.5 - 1e-6
SKILLED = 0.9


@dataclass(frozen=True)
class Misread:
    """Why numbers are not what a loss takes, in a sentence, and what to hand it instead."""

    confidence: float
    explanation: str
    evidence: tuple[Measure, ...]
    advice: str


def misread(case: Case) -> Misread | None:
    """The first loss of probabilities that was handed something else; None where there is none."""
    for path in output_paths(case):
        reading = _twice(path)
        if reading is None and path.call is not None:
            calls = list(_same_calls(case, path.call))
            reading = (
                _logarithms(path.call, calls)
                or _log_likelihoods(case, path, calls)
                or _shares(path.call, calls)
                or _rates(path, path.call, calls)
            )
            if reading is None and not learned_enough(case, SKILLED):
                reading = _one_sided(path, path.call, calls)
        if reading is not None:
            return reading
    return None


def _same_calls(case: Case, call: Call) -> Iterator[Call]:
    """The calls of this function from this line, in all looks that read their numbers."""
    for look in case.looks:
        for other in look.calls:
            if (other.name, other.where) == (call.name, call.where) and other.content:
                yield other


def _range(calls: list[Call], parameter: str) -> tuple[float, float] | None:
    """The least and the largest number of a parameter; None where none was read."""
    lows = [c.content[f"{parameter}.low"] for c in calls if f"{parameter}.low" in c.content]
    highs = [c.content[f"{parameter}.high"] for c in calls if f"{parameter}.high" in c.content]
    return (min(lows), max(highs)) if lows and highs else None


def _place(call: Call) -> str:
    return f"{call.name} ({call.where})" if call.where else call.name


def _logarithms(call: Call, calls: list[Call]) -> Misread | None:
    """Numbers above 0 for a loss that takes logarithms of chances."""
    given = _range(calls, "input")
    if call.name not in ("kl_div", "ctc_loss") or given is None or given[1] <= NEAR_ZERO:
        return None
    if any(c.content.get("exchanged") for c in calls):
        return None
    low, high = given
    shares = low >= 0 and high <= 1
    what = "chances between 0 and 1" if shares else "raw outputs"
    function = f"torch.nn.functional.{call.name}"
    return Misread(
        0.95,
        f"{_place(call)} takes logarithms of chances, none of which is above 0, and was handed "
        f"{what}: "
        + (
            "it is least for answers that have little to do with the right ones, and the gradient "
            "does not grow for those that are badly wrong."
            if shares
            else "it falls for ever, just by making the outputs larger."
        ),
        (
            Measure(
                "largest number handed to the loss",
                significant(high, 3),
                "0 or less, a logarithm",
                "the call",
            ),
        ),
        f"hand output.log_softmax(dim) to {function}",
    )


def _log_likelihoods(case: Case, path: OutputPath, calls: list[Call]) -> Misread | None:
    """Numbers above 0 for `nll_loss`, whose pairs of answer and target are not known otherwise: a
    few rows of all answers, as nodes of a graph.
    """
    call, given = path.call, _range(calls, "input")
    if call is None or call.name != "nll_loss" or given is None or given[1] <= NEAR_ZERO:
        return None
    if case.identified_loss is not None or (path.term.factor or 1.0) < 0:
        return None
    if case.skill is not None and case.skill >= SKILLED:
        return None  # the chance of the right class is largest for right answers, too
    shares = given[0] >= 0 and given[1] <= 1
    return Misread(
        0.9,
        f"{_place(call)} takes logarithms of chances, none of which is above 0, and was handed "
        + (
            "chances between 0 and 1: the loss lies between -1 and 0, and the gradient does not "
            "grow for answers that are badly wrong."
            if shares
            else "raw outputs: it falls for ever, just by making one output larger."
        ),
        (
            Measure(
                "largest number handed to the loss",
                significant(given[1], 3),
                "0 or less, a logarithm",
                "the call",
            ),
        ),
        "end in log_softmax, or hand logits to cross_entropy",
    )


def _shares(call: Call, calls: list[Call]) -> Misread | None:
    """Targets of a divergence that are logarithms where it takes chances, or the other way."""
    target = _range(calls, "target")
    if call.name != "kl_div" or target is None:
        return None
    logarithms = bool(call.options.get("log_target", False))
    if logarithms and target[0] >= 0 and target[1] > NEAR_ZERO:
        explanation = "takes its targets for logarithms (log_target=True), and they are chances"
        advice = "log_target=False, or target.log()"
    elif not logarithms and target[0] < 0 and target[1] <= 0:
        explanation = "takes its targets for chances, and they are logarithms"
        advice = "log_target=True, or target.exp()"
    else:
        return None
    return Misread(
        0.95,
        f"{_place(call)} {explanation}.",
        (
            Measure(
                "range of the targets",
                f"{target[0]:.3g} to {target[1]:.3g}",
                "0 or less" if logarithms else "0 to 1",
                "the call",
            ),
        ),
        advice,
    )


def _rates(path: OutputPath, call: Call, calls: list[Call]) -> Misread | None:
    """Rates for a Poisson loss that takes their logarithms, or the other way."""
    given = _range(calls, "input")
    if call.name != "poisson_nll_loss" or given is None:
        return None
    last = path.names[-1] if path.names else ""
    if call.options.get("log_input", True):
        if last not in ABOVE_ZERO or given[0] < 0:
            return None
        explanation = (
            f"takes its input for the logarithm of a rate, and raises it (log_input=True); the "
            f"outputs have passed {_operation(last)} already, so that no rate below 1 can be given"
        )
        wanted, advice = "numbers of both signs", "log_input=False, or the bare output"
    else:
        if given[0] >= 0:
            return None
        explanation = (
            "takes its input for a rate (log_input=False), and was handed numbers below 0, which "
            "have no logarithm"
        )
        wanted, advice = "above 0", "log_input=True, or output.exp()"
    return Misread(
        0.95,
        f"{_place(call)} {explanation}.",
        (
            Measure(
                "range of the numbers handed to the loss",
                f"{given[0]:.3g} to {given[1]:.3g}",
                wanted,
                "the call",
            ),
        ),
        advice,
    )


def _operation(name: str) -> str:
    return f"an {name.lower()}" if name[:1] in "AE" else f"a {name.lower()}"


def _twice(path: OutputPath) -> Misread | None:
    """The same operation twice, one upon the other, where once is what a loss takes."""
    for both in zip(path.names, path.names[1:], strict=False):
        if (name := TWICE.get(both)) is not None:
            article = "an" if name == "exponential" else "a"
            return Misread(
                0.95,
                f"The outputs pass {article} {name} twice on the way to the loss: what is the "
                "result already is taken for what goes in.",
                (Measure("operations before the loss", ", ".join(path.names), f"one {name}", ""),),
                f"apply the {name} once: logits (bare outputs) for what takes logits",
            )
    return None


def _one_sided(path: OutputPath, call: Call, calls: list[Call]) -> Misread | None:
    """Logits of one sign: the chance of a yes stays on one side of a half."""
    ways, given, target = likelihood(path), _range(calls, "input"), _range(calls, "target")
    if ways is None or ways[0] != "sigmoid" or given is None or target is None:
        return None
    if not target[0] < 0.5 < target[1]:
        return None  # all of one answer
    sign = _sign(ways[1])
    low, high = given
    logits = call.name == "binary_cross_entropy_with_logits"
    least, most = (0.0, 0.0) if logits else (HALF, 1 - HALF)
    if not ((sign > 0 and low >= least) or (sign < 0 and high <= most)):
        return None
    side = "above" if sign > 0 else "below"
    return Misread(
        0.9,
        f"The number whose sigmoid is the chance, on the way into {_place(call)}, comes out of "
        f"{', '.join(ways[1])}: it is never {'below' if sign > 0 else 'above'} 0, so that every "
        f"chance is a half or {side} it, and the loss cannot be small for half of the answers.",
        (
            Measure(
                "range of the numbers handed to the loss",
                f"{low:.3g} to {high:.3g}",
                "0 to 1" if not logits else "numbers of both signs",
                "the call",
            ),
        ),
        "take a learnt threshold off it (distance - margin), or use a loss made for distances",
    )


def _sign(names: tuple[str, ...]) -> int:
    """The sign that all numbers have after these operations; 0 where they may have either."""
    sign = 0
    for name in names:
        if name in ABOVE_ZERO:
            sign = 1
        elif name in BELOW_ZERO:
            sign = -1
        elif name in ("Neg", "SignedMul", "SignedDiv"):
            sign = -sign
        elif name not in SUMS and name not in ("Clamp", "ClampMin", "Mul", "Div"):
            sign = 0
    return sign
