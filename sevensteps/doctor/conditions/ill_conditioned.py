"""ill_conditioned: no learning rate suits both the steepest and the flattest direction.

The loss is far more curved in the one than in the other. Measured: all eigenvalues of the Hessian
of small networks, by autograd. The largest stable rate is 2/λ_max; along the flattest direction a
step then closes only the share 2 λ_min/λ_max of the way. Source: LeCun, Bottou, Orr, Müller 1998,
Efficient BackProp, ch. 5.

Remedies: standardised inputs; `adam(lr=0.01)`, which steps as far in a flat direction as in a
steep one. Silent on: larger networks; optimizers that scale each parameter's step; trainings
that had steps enough; networks no worse than a simple model; directions in which nothing changes.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import ADAPTIVE, learned_enough, optimizer_name, significant
from sevensteps.doctor.simple_models import worse_than_simple_model
from sevensteps.engine.hessian import eigenvalues

STEP = "step"
EXPLAINS = ("underfitting", "stopped_early", "learning_rate_too_low", "too_small")
NUMBER = 1e4  # λ_max / λ_min
# of λ_max: below it a direction is flat but for rounding, as that along which all outputs of a
# softmax move together
NULL = 1e-6
MOST = 64  # parameters, of which all eigenvalues are computed


def examine(case: Case) -> Finding | None:
    if (
        case.before_training
        or case.steps < 10
        or case.diverged_at is not None
        or optimizer_name(case) in ADAPTIVE
        or not case.lr
        or learned_enough(case, 0.9)
    ):
        return None
    if case.sample is None or case.loss is None or case.network is None:
        return None
    if sum(p.numel() for p in case.network.parameters() if p.requires_grad) > MOST:
        return None
    if not worse_than_simple_model(case, 0.05):
        return None
    with case.network_copy() as network:
        spectrum = None if network is None else eigenvalues(network, case.loss, *case.sample, MOST)
    if spectrum is None:
        return None
    top = spectrum[-1]
    positive = [value for value in spectrum if value > NULL * top]
    if not positive or not top > 0:
        return None
    number, slowest = top / positive[0], 1 / (case.lr * positive[0])
    if number < NUMBER or slowest < case.steps:
        return None
    return (
        Finding(
            "ill_conditioned",
            STEP,
            "warning",
            0.8,
            f"The loss is {number:.3g} times as curved in its steepest direction as in its "
            f"flattest. A learning rate above {2 / top:.2g} "
            f"diverges in the one; at {case.lr:g} the other needs {slowest:,.0f} steps to close "
            f"two thirds of its way, and {case.steps:,} were taken.",
            [
                Measure(
                    "condition number λ_max / λ_min",
                    significant(number),
                    f"below {NUMBER:g}",
                    "Hessian over the sample",
                ),
                Measure(
                    "largest stable learning rate, 2/λ_max",
                    significant(2 / top),
                    f"above {case.lr:g}",
                    "",
                ),
                Measure(
                    "steps per factor e in the flattest direction",
                    significant(slowest),
                    f"below {case.steps}",
                    "1 / (lr λ_min)",
                ),
            ],
            [
                Remedy(
                    {"data": "standardize()"},
                    "standardised inputs make the directions alike",
                    "subtract the mean of each input and divide by its standard deviation",
                ),
                Remedy(
                    {"step": "adam(lr=0.01)"},
                    "Adam steps as far in a flat direction as in a steep one",
                    "Adam in place of SGD",
                ),
            ],
            {},
            None,
        )
        if math.isfinite(number)
        else None
    )
