"""not_finite: a number became infinite or NaN, and so does everything computed from it.

Measured: the loss of every step. The first bad step is repeated on a copy of the network, operation
by operation, forward and backward, with its own batch and the parameters of shortly before: the
finding names the first operation that made something that is not finite of numbers that are, its
line, the sample and the reason. Where weights or losses grew until they overflowed, the learning
rate or the exponents that made them grow explain it.

Remedies: by the cause: an eps under the root, a clamp before the logarithm, no sample without
anything in it, float32 for what overflows; a lower rate and clipping only where something grew.
Silent on: a loss that is large but finite, gradients that a `GradScaler` skips.
"""

from __future__ import annotations

import math

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import change_activation, significant, step_with_rate
from sevensteps.doctor.trace.search import Trace, by_growth, trace_of

STEP = "gradient"
EXPLAINS = (
    "dead_units",
    "underfitting",
    "saturated_units",
    "parameters_not_updated",
    "symmetric_units",
    "too_small",
    "mode_mismatch",
    "train_valid_mismatch",
    "overfitting",
)


def examine(case: Case) -> Finding | None:
    step = case.diverged_at
    broken = [
        name
        for look in case.looks
        for name, change in look.changes.items()
        if not bool(change.weight.isfinite().all())
    ]
    if step is None and (not broken or _only_large(case)):
        return None
    trace = trace_of(case)
    grown = by_growth(case, trace)
    first_layer = next(
        (
            name
            for look in case.looks
            if step is None or look.step >= step
            for name, signal in look.signals.items()
            if not bool(torch.isfinite(signal.mean).all())
        ),
        "",
    )
    layer = trace.layer if trace is not None and trace.layer else first_layer
    where = {"layers": [layer] if layer else [], "parameters": sorted(set(broken))[:8]}
    skipped = not broken and _went_on(case)
    return Finding(
        "not_finite",
        STEP,
        "warning" if skipped else "error",
        0.9 if trace is None or grown else 0.97,
        _explanation(case, trace, grown, first_layer, broken, skipped),
        _evidence(case, trace),
        _remedies(case, None if grown else trace),
        where if trace is None else {**where, **_place(trace, grown)},
        step if trace is None or trace.step is None else trace.step,
    )


def _only_large(case: Case) -> bool:
    """Whether all weights are numbers at the end: the length of large ones is none already."""
    parameters = [] if case.network is None else list(case.network.parameters())
    return bool(parameters) and all(bool(p.isfinite().all()) for p in parameters)


def _went_on(case: Case) -> bool:
    """Whether later losses are finite again: the loop skips steps whose loss is not."""
    step, last = case.diverged_at, case.losses[-1:]
    return step is not None and bool(last) and last[0][0] > step and math.isfinite(last[0][1])


def _explanation(
    case: Case,
    trace: Trace | None,
    grown: bool,
    first_layer: str,
    broken: list[str],
    skipped: bool,
) -> str:
    step, growth = case.diverged_at, " Losses or weights had grown beyond bounds by then."
    lost = (
        "Later losses are finite again: the loop leaves such steps out, and what is in them is not "
        "learned from."
        if skipped
        else "Nothing that is computed from it can be used, and the weights that it touched are "
        "lost."
    )
    if trace is None:
        where = f"; the first layer to show it is {first_layer}" if first_layer else ""
        start = (
            f"At step {step} the loss is no longer a number{where}."
            if step is not None
            else f"The weights of {broken[0]} are no longer numbers."
        )
        return f"{start} {lost}{growth if grown else ''}"
    at = "" if trace.step is None else f"At step {trace.step} "
    what = (
        "the loss is finite, but its gradient is not" if trace.backward
        else "the loss is no longer a number"
    )  # fmt: skip
    whose = f", for {trace.whose}" if trace.whose else ""
    start = f"{at}{what}" if at else what[0].upper() + what[1:]
    return f"{start}: it comes from {trace.place}{whose}: {trace.text}. {lost}" + (
        growth if grown else ""
    )


def _evidence(case: Case, trace: Trace | None) -> list[Measure]:
    step = case.diverged_at
    evidence = [
        Measure(
            "first step whose loss is no number",
            step if step is not None else "unknown",
            "none",
            "every step is checked",
        )
    ]
    if trace is not None:
        source = "the step, repeated on a copy" if trace.step is not None else "the data, repeated"
        what = "gradient" if trace.backward else "operation"
        evidence.append(Measure(f"first {what} that is not finite", trace.place, "none", source))
        if trace.affected:
            evidence.append(
                Measure("samples that cause it", trace.affected, 0, f"{trace.samples} in the batch")
            )
    before = [look for look in case.looks if step is None or look.step < step]
    if before:
        high = max((float(s.high.abs()) for s in before[-1].signals.values()), default=math.nan)
        evidence.append(
            Measure(
                "largest signal in the last look before",
                significant(high),
                "below 1e4",
                f"step {before[-1].step}",
            )
        )
    return evidence


def _place(trace: Trace, grown: bool) -> dict[str, object]:
    found = {"operation": trace.operation, "line": trace.where, "sample": trace.sample}
    found |= {"step": trace.step, "row": trace.row, "cause": None if grown else trace.kind}
    return {name: value for name, value in found.items() if value not in (None, "")}


def _remedies(case: Case, trace: Trace | None) -> list[Remedy]:
    exponential = any(
        "exp" in str(layer.activation or layer.kind).lower() for layer in case.layers()
    )
    remedies = []
    if exponential and (trace is None or trace.kind == "exponential"):
        remedies.append(
            Remedy(
                change_activation(case, "relu"),
                "an exponential of an exponential grows beyond every number; a ReLU does not",
                "use relu, tanh or selu as the activation instead of exp",
            )
        )
    if trace is not None:
        return [*remedies, Remedy({}, trace.because, trace.remedy)]
    remedies.append(
        Remedy(
            {"gradient": "auto(clip=1.0)"},
            "a bounded gradient cannot throw the weights to infinity",
            "look for log(0), division by 0, exp of large numbers; clip the gradient; lower the "
            "learning rate",
        )
    )
    if case.lr:
        remedies.append(
            Remedy(
                {"step": step_with_rate(case, case.lr / 100)},
                "short steps cannot throw the weights to infinity",
                f"a learning rate of {case.lr / 100:.1g}",
            )
        )
    return remedies
