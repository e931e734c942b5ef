"""inputs_scrambled: the inputs are read with their axes in another order than they were written in.

A `view` or `reshape` where a `permute` is meant keeps all numbers, and puts them where others
belong: [height, width, channels] read as [channels, height, width], time read as features, time as
the batch. Nothing raises. Measured: how alike the numbers are that the first convolution, recurrent
or attention layer takes for neighbours, and how alike they would be in the other orders: pictures
and signals change little from one place to the next (Field 1987: power falls as 1/f²).

Remedies: `permute` or `transpose`, which move the axes. Silent on: inputs whose neighbours are
alike as they are read, or in no order, such as noise, tables and one-hot rows; layers that read
something else than the inputs.
"""

from __future__ import annotations

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import layer_label, significant
from sevensteps.doctor.questions.reading_order import reading_order

STEP = "repeat"
EXPLAINS = (
    "underfitting",
    "overfitting",
    "too_small",
    "stopped_early",
    "learning_rate_too_low",
    "samples_mixed",
    "labels_unrelated",
    "label_noise",
    "does_not_learn",
)
ALIKE = 0.6  # correlation of neighbours in the order that is meant
ROUGHER = 2.5  # times as much of their variance lies between neighbours as they are read
LEARNED = 0.5  # skill, below which the order is an error


def examine(case: Case) -> Finding | None:
    answer = reading_order(case)
    if answer is None or answer.other < ALIKE:
        return None
    if 1 - answer.as_read < ROUGHER * (1 - answer.other):
        return None
    shape = list(answer.shape)
    place = f" by {layer_label(answer.layer)}" if answer.layer else ""
    return Finding(
        "inputs_scrambled",
        STEP,
        "error" if case.skill is None or case.skill < LEARNED else "warning",
        0.93,
        f"The inputs {shape} are read{place} as [{answer.axes}], but in memory they lie as "
        f"[{answer.order}]: read so, neighbours are alike (correlation {answer.other:.2f}), as in "
        f"any picture or signal; as they are read now they are less so ({answer.as_read:.2f}).",
        [
            Measure(
                "correlation of neighbours as they are read",
                significant(answer.as_read),
                f"about {answer.other:.2f}",
                f"the same numbers as [{answer.order}]",
            )
        ],
        [
            Remedy(
                {},
                "each number then lies where the layer looks for it",
                "permute or transpose in place of view or reshape: they move axes, while view "
                f"cuts the numbers up anew; here the memory is [{answer.order}]",
            )
        ],
        {"layers": [answer.layer]} if answer.layer else {},
    )
