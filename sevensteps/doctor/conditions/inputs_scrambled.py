"""inputs_scrambled: the inputs are read with their axes in another order than they were written in.

A `view` or `reshape` where a `permute` is meant keeps all numbers, and puts them where others
belong: [height, width, channels] read as [channels, height, width], time read as features, time as
the batch. Nothing raises. Measured: how alike the numbers are that the first convolution, recurrent
or attention layer takes for neighbours, and how alike they would be in the other orders: pictures
and signals change little from one place to the next (Field 1987: power falls as 1/f²). And whether
places of one channel have one scale, in which order; whether places are one-hot; and whether what
two numbers of a sample have in common is a product of what their rows and their columns have (Van
Loan, Pitsianis 1993). And whether samples were fed with the numbers
of the training data in another order. And whether masks are like their pictures
where they lie on them, or all in another turn.

Remedies: `permute` or `transpose`, which move the axes. Silent on: inputs whose neighbours are
alike as they are read, or in no order, such as noise, tables and one-hot rows; layers that read
something else than the inputs.
"""

from __future__ import annotations

import math

from sevensteps.doctor.case import Case
from sevensteps.doctor.fed_data import fed_in_another_order
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import layer_label, learned_enough, significant
from sevensteps.doctor.overlay import overlay
from sevensteps.doctor.questions.own_axes import own_axes
from sevensteps.doctor.questions.reading_order import ReadingOrder, reading_order

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
ALIKE = 0.6  # correlation of neighbours in an order that is meant
ROUGHER = 2.5  # times as much of their variance lies between neighbours as they are read
SOME = 0.25  # correlation, and by how much it is larger, of channels that lie last
BY_CHANCE, FAR_MORE = 3.0, 7.0  # standard errors, of such correlations in noise
OF_CHANNELS, MIXED = 0.4, 0.1  # share of the differences in scale, in the two orders
PLACES = 48  # of a sample, of fewer the scales may be sorted by chance
OWN, OWN_IN_PART = 0.65, 0.4  # share of the covariance that is a product, of axes that are meant
UNEXPLAINED, MORE = 2.0, 0.1  # times, and share, of it that is left over as it is read
TIMES = 2.0  # as much is a product
ONE_HOT = 0.999  # of the places, that have one number 1 and else 0
ANEW = 0.9  # of the places, that have so by chance at most
GENERAL = 0.95  # skill, in training and validation data, where the order does no harm
LEARNED = 0.5  # skill, below which the order is an error


def _masks_turned(case: Case) -> Finding | None:
    """Masks that all lie on their pictures in one and the same other turn."""
    if case.before_training or not case.loss_is_error or learned_enough(case, 0.9):
        return None
    turned = overlay(case)
    if turned is None or not turned.turn:
        return None
    return Finding(
        "inputs_scrambled",
        STEP,
        "error",
        0.93,
        f"The masks lie on their pictures when they are {turned.turn}: as they were fed, "
        f"{turned.displaced:.0%} of them are not where their picture shows what they mark. Rows "
        "and columns, or the origin, are read in another order for the one than for the other.",
        [
            Measure(
                f"share of the masks that are most like their picture {turned.turn}",
                significant(turned.displaced),
                0,
                f"correlations of {turned.pairs} pairs as they were fed",
            )
        ],
        [
            Remedy(
                {},
                "a mask has to mark what lies under it",
                "read both as [height, width]: a library of pictures gives (width, height), an "
                "array (rows, columns)",
            )
        ],
        {},
        0,
    )


def _fed_otherwise(case: Case) -> Finding | None:
    """Samples that were fed with their numbers in another order than in `train=`."""
    if case.before_training or learned_enough(case, 0.8):
        return None
    moved = fed_in_another_order(case)
    if not moved:
        return None
    return Finding(
        "inputs_scrambled",
        STEP,
        "error",
        0.93,
        "In the batches that were trained on, the samples have the same numbers as in the training "
        "data, and each of them at another place, the same for all samples: the network learned "
        "to read them in an order in which it is not asked.",
        [
            Measure(
                "samples fed with their numbers in another order",
                moved,
                0,
                "samples as they were fed, beside train=",
            )
        ],
        [
            Remedy(
                {},
                "a network reads what it is asked in the order that it was trained on",
                "permute or transpose in place of view or reshape where a batch is made, and do "
                "the same wherever the network is asked",
            )
        ],
        {},
        0,
    )


def _cut_anew(case: Case) -> Finding | None:
    """Inputs of which each place is one-hot, or whose axes vary each in its own way, in the other
    order alone.
    """
    if case.before_training or (learned_enough(case, GENERAL) and _generalises(case)):
        return None
    answer = own_axes(case)
    if answer is None:
        return None
    one_hot = answer.one_hot_other >= ONE_HOT and answer.one_hot_as_read < ANEW
    as_read, other = answer.as_read**2, answer.other**2
    clearly = other > OWN and 1 - as_read > UNEXPLAINED * (1 - other) + MORE
    if not (one_hot or clearly or (other > OWN_IN_PART and other > TIMES * as_read)):
        return None
    shape = list(answer.shape)
    place = f" by {layer_label(answer.layer)}" if answer.layer else ""
    reading = (
        f"{answer.one_hot_other:.0%} of all places have a single 1 among zeros; as they are read "
        f"now only {answer.one_hot_as_read:.0%} have."
        if one_hot
        else "what two numbers have in common follows from their rows and from their columns "
        f"({answer.other:.0%}); as they are read now it does less ({answer.as_read:.0%})."
    )
    return _in_another_order(
        case,
        answer.layer,
        f"The inputs {shape} are read{place} as [batch, {answer.axes}], but in memory they lie as "
        f"[batch, {answer.order}]: read so, {reading}",
        f"batch, {answer.order}",
        Measure(
            "share of the places that are one-hot, as they are read"
            if one_hot
            else "covariance of the inputs that is a product of one of each axis, as they are read",
            significant(answer.one_hot_as_read if one_hot else answer.as_read),
            f"about {answer.one_hot_other if one_hot else answer.other:.2f}",
            f"the same numbers as [batch, {answer.order}]",
        ),
    )


def _generalises(case: Case) -> bool:
    """Whether the validation data, where there are any, are answered as well."""
    least, valid = case.baseline_score, case.scores.get("valid")
    return valid is None or least is None or valid - least >= GENERAL * (1 - least)


def examine(case: Case) -> Finding | None:
    if (finding := _fed_otherwise(case)) is not None:
        return finding
    return _axes_exchanged(case) or _cut_anew(case) or _masks_turned(case)


def _axes_exchanged(case: Case) -> Finding | None:
    """Inputs whose neighbours, or scales, are alike in another order than they are read in."""
    answer = reading_order(case)
    if answer is None:
        return None
    smooth = answer.other > ALIKE and 1 - answer.as_read > ROUGHER * (1 - answer.other)
    smoother = answer.other > SOME and answer.other - answer.as_read > SOME
    sorted_by_scale = (
        answer.scales_other > OF_CHANNELS
        and answer.scales_as_read < MIXED
        and math.prod(answer.shape[1:]) >= PLACES
    )
    smoother = smoother or _smoother_in_noise(case, answer)
    if not (smooth or (smoother and "channels" in answer.order) or sorted_by_scale):
        return None
    by_scale = not smooth and sorted_by_scale
    shape = list(answer.shape)
    place = f" by {layer_label(answer.layer)}" if answer.layer else ""
    return _in_another_order(
        case,
        answer.layer,
        f"The inputs {shape} are read{place} as [{answer.axes}], but in memory they lie as "
        f"[{answer.order}]: read so, "
        + (
            "each channel has a scale of its own; as they are read now the scales are strewn all "
            "over."
            if by_scale
            else f"neighbours are alike (correlation {answer.other:.2f}), as in any picture or "
            f"signal; as they are read now they are less so ({answer.as_read:.2f})."
        ),
        answer.order,
        Measure(
            "share of the differences in scale that lie between channels, as they are read",
            significant(answer.scales_as_read),
            f"about {answer.scales_other:.2f}",
            f"the same numbers as [{answer.order}]",
        )
        if by_scale
        else Measure(
            "correlation of neighbours as they are read",
            significant(answer.as_read),
            f"about {answer.other:.2f}",
            f"the same numbers as [{answer.order}]",
        ),
    )


def _smoother_in_noise(case: Case, answer: ReadingOrder) -> bool:
    """Whether neighbours, most of which is noise, are no more alike than by chance as they are
    read, and far more in the other order, of a network that has not learned all there is.
    """
    if case.before_training or (learned_enough(case, GENERAL) and _generalises(case)):
        return False
    return abs(answer.as_read) < BY_CHANCE * answer.chance < FAR_MORE * answer.chance < answer.other


def _in_another_order(
    case: Case, layer: str, explanation: str, order: str, measure: Measure
) -> Finding:
    return Finding(
        "inputs_scrambled",
        STEP,
        "error" if case.skill is None or case.skill < LEARNED else "warning",
        0.93,
        explanation,
        [measure],
        [
            Remedy(
                {},
                "each number then lies where the layer looks for it",
                "permute or transpose in place of view or reshape: they move axes, while view "
                f"cuts the numbers up anew; here the memory is [{order}]",
            )
        ],
        {"layers": [layer]} if layer else {},
    )
