"""same_batch_again: of all training data only a few rows are ever fed.

As when `next(iter(loader))` stands inside the loop, or the index of a batch never moves on: the
network learns these rows by heart and knows nothing of the others. Measured: hashes of the rows of
batches all over the training, looked up in the training data; each that was fed came several times,
so that others would have been seen.

Remedies: take the batches from the loader in a loop over it. Silent on: trainings on all their
data at once, those of less than some epochs, and where the training data are not handed to
`diagnose(train=…)`, or are changed before they are fed.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.fed_data import few_rows
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import learned_enough

STEP = "repeat"
EXPLAINS = (
    "overfitting",
    "underfitting",
    "not_shuffled",
    "class_imbalance",
    "train_valid_mismatch",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "labels_unrelated",
    "label_noise",
    "dead_units",
    "stopped_early",
    "batch_too_small",
    "too_small",
)


def examine(case: Case) -> Finding | None:
    if case.before_training:
        return None
    few = few_rows(case)
    if few is None:
        return None
    if few.batches == 1:
        fed = f"All batches are the same {few.rows:,} rows"
    elif few.batches:
        fed = f"The same {few.batches} batches, {few.rows:,} rows, come again and again"
    else:
        fed = f"The batches hold no more than about {few.rows:,} different rows"
    return Finding(
        "same_batch_again",
        STEP,
        "warning" if learned_enough(case, 0.9) else "error",
        0.95,
        f"{fed}, and the training data have {few.available:,}. The network learns these by heart, "
        "and what the others could teach it is never seen.",
        [
            Measure(
                "different rows that were fed",
                few.rows,
                few.available,
                f"hashes of {case.observation.sketch.rows:,} rows from all over the training",
            )
        ],
        [
            Remedy(
                {},
                "every row is seen once in an epoch",
                "for x, y in loader: … instead of next(iter(loader)) in each step; check the index "
                "that batches are cut out by",
            )
        ],
        {},
        0,
    )
