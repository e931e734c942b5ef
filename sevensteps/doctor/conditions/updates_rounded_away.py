"""updates_rounded_away: the updates are smaller than the weights' numbers can tell apart.

A number in bfloat16 has 8 significant bits: what is below a 512th of a weight is lost when it is
added. Measured: the entries that had a gradient and did not change at all, in single precision too
where weights are huge; and whether the same step would have moved them in single precision. Source:
Micikevicius et al. 2018, Mixed precision training, 3.1, a master copy of weights.

Remedies: weights in single precision, and only the computing in half (`torch.autocast`); for huge
weights, inputs and weights scaled. Silent on: rates of 0; steps that are too short for single
precision too (see learning_rate_too_low); trainings that learn.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import GradientUse, gradient_uses, known_to_learn
from sevensteps.doctor.measures import ADAPTIVE, median, significant
from sevensteps.observe.step_account import ParameterAccount

STEP = "step"
EXPLAINS = (
    "underfitting",
    "stopped_early",
    "learning_rate_too_low",
    "parameters_not_updated",
    "too_small",
)
ROUNDED = 0.7  # of the entries that have a gradient
PART = 0.2  # of all numbers
LOOKS = 3  # at least
HUGE = 100.0  # root mean square of weights in single precision
# significant bits of a number; the least change of a weight that survives is 2^-bits of it
BITS = {"bfloat16": 8, "float16": 11, "float32": 24}
SINGLE = 2.0**-24


def examine(case: Case) -> Finding | None:
    if case.before_training:
        return None
    least = PART if _stands_still(case) else ROUNDED
    if known_to_learn(case, 0.6) and least == ROUNDED:
        return None
    # (use, share of the entries that did not move)
    shares = [(use, _rounded_share(use)) for use in gradient_uses(case) if use.stepped]
    known = [(use, share) for use, share in shares if not math.isnan(share)]
    if len(known) < LOOKS or not median(share for _, share in known) > least:
        return None
    first = next(use for use, share in known if share > least)
    share = median(share for _, share in known)
    rows = _judged(first)
    dtype = max((p.dtype for p in rows), key=lambda d: sum(p.size for p in rows if p.dtype == d))
    weight = median(p.weight or math.nan for p in rows)
    return Finding(
        "updates_rounded_away",
        STEP,
        "warning" if known_to_learn(case, 0.6) else "error",
        0.9,
        f"{share:.0%} of the weights that have a gradient do not change in a step: their numbers "
        f"are {dtype}, which tells apart no less than a {2 ** BITS[dtype]:,}th of a weight (here "
        f"about {weight:.2g}), and the update is smaller. Adding it rounds to nothing.",
        [
            Measure(
                "share of the entries with a gradient that do not change",
                significant(share),
                f"below {least:g}",
                f"median of {len(known)} looks",
            ),
            Measure("numbers of the weights", dtype, "float32", ""),
        ],
        [
            Remedy(
                {},
                "single precision tells apart changes 65,536 times smaller than bfloat16",
                "keep the weights in float32 and compute in half precision with torch.autocast"
                if dtype != "float32"
                else "scale inputs and targets so that weights of about 1 suffice",
            )
        ],
        {},
        first.step,
    )


def _stands_still(case: Case) -> bool:
    """Whether a good part of the network has not moved by a single number in any step: how well the
    rest learns says nothing of that.
    """
    still: dict[str, set[bool]] = {}
    sizes: dict[str, int] = {}
    for use in gradient_uses(case):
        if use.stepped and use.group.lr:
            sizes = {name: p.size for name, p in use.parameters.items()}
            judged = {id(p) for p in _judged(use)}
            for name, p in use.parameters.items():
                if p.pushed:
                    still.setdefault(name, set()).add(id(p) in judged and p.unmoved >= p.pushed)
    parts = [name for name, states in still.items() if states == {True}]
    return bool(parts) and sum(sizes.get(name, 0) for name in parts) >= PART * sum(sizes.values())


def _judged(use: GradientUse) -> list[ParameterAccount]:
    """The parameters whose update would count in single precision and weights of usual size."""
    rows = []
    for p in use.parameters.values():
        if not p.stepped or not p.pushed or not p.weight or p.dtype not in BITS:
            continue
        if p.dtype == "float32" and p.weight < HUGE:
            continue
        if p.dtype != "float32" and _relative_step(use, p) < SINGLE:
            continue
        rows.append(p)
    return rows


def _relative_step(use: GradientUse, p: ParameterAccount) -> float:
    """|Δw| / |w| as the optimizer meant it, roughly."""
    lr = use.group.lr
    step = lr if use.group.kind in ADAPTIVE else lr * (p.used or 0.0) / math.sqrt(p.size)
    return step / (p.weight or 1.0)


def _rounded_share(use: GradientUse) -> float:
    """The share of all entries with a gradient that did not change; nan where it is not known."""
    rows = _judged(use)
    size = sum(p.size for p in rows)
    every = sum(p.size for p in use.parameters.values())
    if not use.group.lr or not size or size < 0.5 * every:
        return math.nan
    return sum(p.size * p.unmoved / p.pushed for p in rows) / size
