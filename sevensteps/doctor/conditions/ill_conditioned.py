"""ill_conditioned: no learning rate suits both the steepest and the flattest direction.

The loss is far more curved in the one than in the other. Measured: the directions in which the
inputs vary, and how much of the targets' variance follows the faint ones; of small networks all
eigenvalues of the Hessian, by autograd. The largest stable rate is 2/λ_max; along the flattest
direction a step then closes only the share 2 λ_min/λ_max of the way. Source: LeCun, Bottou, Orr,
Müller 1998, Efficient BackProp, ch. 5.

Remedies: standardised inputs; `adam(lr=0.01)`, which steps as far in a flat direction as in a
steep one; whitened inputs. Silent on: trainings that had steps enough; networks no worse than a
simple model; directions in which nothing changes; and, of the Hessian, larger networks and
optimizers that scale each parameter's step.
"""

from __future__ import annotations

import math

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import ADAPTIVE, learned_enough, optimizer_name, significant
from sevensteps.doctor.simple_models import (
    linear_model_score,
    standardized_table,
    worse_than_simple_model,
)
from sevensteps.engine.hessian import eigenvalues

STEP = "step"
EXPLAINS = ("underfitting", "stopped_early", "learning_rate_too_low", "too_small")
NUMBER = 1e4  # λ_max / λ_min
# of λ_max: below it a direction is flat but for rounding, as that along which all outputs of a
# softmax move together
NULL = 1e-6
BEHIND = 0.1  # of the score of a linear model
FAINT_SHARE = 0.2  # of the targets' variance, that faint directions of the inputs tell of
MOST = 64  # parameters, of which all eigenvalues are computed


def examine(case: Case) -> Finding | None:
    if (
        case.before_training
        or case.steps < 10
        or case.diverged_at is not None
        or not case.lr
        or learned_enough(case, 0.9)
    ):
        return None
    return _along_faint_directions(case) or _by_all_eigenvalues(case)


def _along_faint_directions(case: Case) -> Finding | None:
    """Inputs that hardly vary in the directions that tell of the targets, as columns that are
    nearly copies of each other, of which only the difference counts.

    Descent at the largest stable rate closes a direction of variance λ by 1/e in λ_max / 2λ steps.
    """
    table = standardized_table(case)
    if table is None or case.task not in ("binary", "multiclass", "regression"):
        return None
    x, y = table
    if 3 * x.shape[1] > len(x) or not _worse_than_linear_model(case):
        return None
    numbers = torch.nn.functional.one_hot(y).double() if case.task != "regression" else y
    numbers = numbers - numbers.mean(0)
    sides, lengths, _ = torch.linalg.svd(x, full_matrices=False)
    known = lengths > 1e-6 * lengths[0]
    explained = (sides[:, known].T @ numbers).square().sum(1) / numbers.square().sum()
    times = (lengths[0] / lengths[known]).square() / 2  # steps, at the largest stable rate
    faint = times > case.steps
    by_chance = float(faint.sum()) / len(x)
    share = float(explained[faint].sum()) - by_chance
    if share < FAINT_SHARE or share < FAINT_SHARE * float(explained.sum()):
        return None
    slowest = float((times * explained)[faint].sum() / explained[faint].sum())
    return _finding(
        f"What tells of the targets lies where the inputs hardly vary: {share:.0%} of the targets' "
        f"variance follows directions in which they vary 1/{2 * slowest:,.0f} as much as in their "
        "widest. At the largest rate that is stable in the one, the others need "
        f"{slowest:,.0f} steps to close two thirds of their way, and {case.steps:,} were taken. "
        "A linear model, which is solved for at once, does better.",
        [
            Measure(
                "variance of the targets that faint directions of the inputs tell of",
                significant(share),
                f"below {FAINT_SHARE:g}",
                "singular values of the standardised inputs",
            ),
            Measure(
                "steps along them, at the largest stable rate",
                significant(slowest),
                f"below {case.steps}",
                "λ_max / 2λ; LeCun et al. 1998",
            ),
        ],
        [
            Remedy(
                {},
                "directions that vary alike are learned alike fast",
                "give sums and differences of columns that are nearly copies, or whiten the "
                "inputs: sklearn.decomposition.PCA(whiten=True)",
            )
        ],
    )


def _worse_than_linear_model(case: Case) -> bool:
    score, linear = case.scores.get("train"), linear_model_score(case)
    return score is not None and linear is not None and linear - score >= BEHIND


def _finding(explanation: str, evidence: list[Measure], remedies: list[Remedy]) -> Finding:
    return Finding(
        "ill_conditioned", STEP, "warning", 0.8, explanation, evidence, remedies, {}, None
    )


def _by_all_eigenvalues(case: Case) -> Finding | None:
    if optimizer_name(case) in ADAPTIVE or not case.lr:
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
    if number < NUMBER or slowest < case.steps or not math.isfinite(number):
        return None
    return _finding(
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
    )
