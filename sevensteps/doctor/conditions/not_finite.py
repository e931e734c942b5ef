"""not_finite: a number became infinite or NaN, and so does everything computed from it.

Measured: the loss of every step; the look after the first bad one shows which layers and parameters
are affected. It is the end of a story: a learning rate, an exponent or bad inputs usually began it,
and explain it.

Remedies: look for log(0), a division by 0, exp of large numbers; `auto(clip=1.0)` as the
gradient; a lower learning rate. Silent on: a loss that is large but finite.
"""

from __future__ import annotations

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import change_activation, significant, step_with_rate

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
    if step is None and not broken:
        return None
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
    before = [look for look in case.looks if step is None or look.step < step]
    high = max(
        (float(signal.high.abs()) for look in before[-1:] for signal in look.signals.values()),
        default=float("nan"),
    )
    evidence = [
        Measure(
            "first step whose loss is no number",
            step if step is not None else "unknown",
            "none",
            "every step is checked",
        )
    ]
    if before:
        evidence.append(
            Measure(
                "largest signal in the last look before",
                significant(high),
                "below 1e4",
                f"step {before[-1].step}",
            )
        )
    exponential = any(
        "exp" in str(layer.activation or layer.kind).lower() for layer in case.layers()
    )
    where = f"; the first layer to show it is {first_layer}" if first_layer else ""
    return Finding(
        "not_finite",
        STEP,
        "error",
        0.9,
        f"At step {step} the loss is no longer a number{where}. Nothing that is computed from it "
        "can be used, and the weights that it "
        "touched are lost."
        if step is not None
        else f"The weights of {broken[0]} are no longer numbers.",
        evidence,
        [
            *(
                [
                    Remedy(
                        change_activation(case, "relu"),
                        "an exponential of an exponential grows beyond every number; a ReLU does "
                        "not",
                        "use relu, tanh or selu as the activation instead of exp",
                    )
                ]
                if exponential
                else []
            ),
            Remedy(
                {"gradient": "auto(clip=1.0)"},
                "a bounded gradient cannot throw the weights to infinity",
                "look for log(0), division by 0, exp of large numbers; clip the gradient; lower "
                "the learning rate",
            ),
            *(
                [
                    Remedy(
                        {"step": step_with_rate(case, case.lr / 100)},
                        "short steps cannot throw the weights to infinity",
                        f"a learning rate of {case.lr / 100:.1g}",
                    )
                ]
                if case.lr
                else []
            ),
        ],
        {"layers": [first_layer] if first_layer else [], "parameters": sorted(set(broken))[:8]},
        step,
    )
