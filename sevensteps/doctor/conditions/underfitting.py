"""underfitting: the network does not fit its training data, although simple models do.

No other condition says why. Measured: the score on its own training data against the
cross-validated score of simple models (linear, 5 nearest neighbours); or that of two copies of it,
trained anew in a plain way in no more steps, which learn far more. The last resort: every condition
that explains it folds it under itself.

Remedies: `adam(lr=0.001)`, a robust start; `epochs(50)`, more time. Silent on: networks that
learn well; data on which simple models are no better. A remark of a training that was too short to
tell.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.longer_stop import longer_stop
from sevensteps.doctor.measures import is_short, learned_enough, significant
from sevensteps.doctor.simple_models import simple_model_score, worse_than_simple_model

STEP = "stop"
EXPLAINS: tuple[str, ...] = ()
MARGIN = 0.2  # of the score


def examine(case: Case) -> Finding | None:
    if (
        case.before_training
        or case.steps < 20
        or learned_enough(case, 0.6)
        or "train" not in case.scores
    ):
        return None
    simple, score = simple_model_score(case), case.scores["train"]
    if simple is None or not worse_than_simple_model(case, MARGIN):
        return None
    return Finding(
        "underfitting",
        STEP,
        "info" if is_short(case) else "warning",
        0.3,  # where nothing else was found, something else was wrong in three of four trainings
        f"After {case.steps:,} steps the network scores {score:.3g} on its own training data, "
        f"where a simple model reaches {simple:.3g} "
        "on samples it has not seen: the pattern is there, and the training does not find it.",
        [
            Measure(
                "score on the training data",
                significant(score),
                f"at least {significant(simple)}",
                "simple models, cross-validated",
            )
        ],
        [
            Remedy({"step": "adam(lr=0.001)"}, "a robust start", "try Adam at 1e-3"),
            Remedy({"stop": longer_stop(case, 5)}, "more time", "train five times as long"),
        ],
        {},
        None,
    )
