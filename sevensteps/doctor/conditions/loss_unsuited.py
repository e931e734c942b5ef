"""loss_unsuited: the loss measures something else than the task asks for.

Such as a distance between class numbers, or a squared error behind a sigmoid. Measured: the targets
and the loss that was recognised. Class 7 is no nearer to class 8 than to class 1; and the gradient
of a squared error behind a saturated sigmoid is near 0 for the worst answers. And of two classes,
how many samples of each send a gradient back. Source: Nielsen, Neural Networks and Deep Learning,
ch. 3.

Remedies: `cross_entropy()` with one output for each class; `binary_cross_entropy()` for two
classes. Silent on: counts and other whole numbers of many values; a squared error behind a
sigmoid where the network learns well.
"""

from __future__ import annotations

import torch

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.identify_loss import REGRESSION_LOSSES
from sevensteps.doctor.measures import learned_enough, output_activation
from sevensteps.doctor.output_path import output_paths
from sevensteps.doctor.simple_models import simple_model_score

STEP = "loss"
EXPLAINS = (
    "underfitting",
    "stopped_early",
    "saturated_units",
    "vanishing_gradient",
    "learning_rate_too_low",
    "too_small",
    "does_not_learn",
    "labels_unrelated",
)
LABELS = 100  # more outputs than this are items that a softmax over all is usual for
AS_OFTEN = 0.1  # less often right than a simple model of classes
LEAST_SAMPLES = 12  # of each class, before one is called without a gradient
SMOOTHED = 0.9  # of each target, shared among all classes
CLASSES = 20  # more whole numbers than this are taken for counts


def examine(case: Case) -> Finding | None:
    return (
        _several_labels(case)
        or _numbers_for_classes(case)
        or _medians_of_classes(case)
        or _deaf_to_a_class(case)
        or _smoothed_away(case)
    )


def _smoothed_away(case: Case) -> Finding | None:
    """Labels that are smoothed until the right class is hardly above the others."""
    if case.before_training or learned_enough(case, 0.9):
        return None
    calls = [call for _, call in case.loss_calls if call.name == "cross_entropy"]
    smoothing = max((float(c.options.get("label_smoothing", 0)) for c in calls), default=0.0)
    if smoothing < SMOOTHED:
        return None
    return Finding(
        "loss_unsuited",
        STEP,
        "error" if not learned_enough(case, 0.5) else "warning",
        0.9,
        f"label_smoothing={smoothing:g} leaves {1 - smoothing:.2g} of each target to its class and "
        "shares the rest among all: what is to be learned is nearly the same answer for every "
        "sample.",
        [Measure("label_smoothing", smoothing, "about 0.1", calls[0].where)],
        [
            Remedy(
                {"loss": "cross_entropy()"},
                "the right class then stands above the others",
                "label_smoothing=0.1 at most",
            )
        ],
        {"setting": "label_smoothing"},
        0,
    )


def _medians_of_classes(case: Case) -> Finding | None:
    """Absolute errors of rows that are 1 for one class and 0 for the others: their least constant
    is the median, 0 for every class.
    """
    if case.before_training or case.task != "multiclass" or learned_enough(case, 0.9):
        return None
    classes = [
        call.shapes["target"][1]
        for _, call in case.loss_calls
        if call.name == "l1_loss" and len(call.shapes.get("target", ())) == 2
        if (call.content.get("target.low"), call.content.get("target.high")) == (0, 1)
    ]
    if not classes or classes[0] < 3:
        return None
    return Finding(
        "loss_unsuited",
        STEP,
        "error" if not learned_enough(case, 0.5) else "warning",
        0.88,
        f"The targets are rows of {classes[0]} numbers, 1 for the class and 0 for the others, and "
        "the loss is their absolute error: that is least for the median, which is 0 for every "
        "class, so that answering 0 to all is a way down, and how sure an answer is counts for "
        "nothing.",
        [Measure("classes with 1 in most rows", 0, "one at least, for medians", "targets seen")],
        [
            Remedy(
                {"loss": "cross_entropy()"},
                "its gradient is softmax(output) - target, for every class",
                "cross_entropy(output, target.argmax(1)) on the raw outputs",
            )
        ],
        {},
        0,
    )


def _several_labels(case: Case) -> Finding | None:
    """Several labels at once, whose probabilities a softmax makes compete for a sum of 1."""
    for path in output_paths(case):
        call, shape = path.call, path.look.shapes.get("output", ())
        soft = call is not None and call.name == "cross_entropy"
        if len(shape) != 2 or not 1 < shape[1] <= LABELS or path.term.target == "input":
            continue
        if not (soft or {"Softmax", "LogSoftmax"} & set(path.names)):
            continue
        t = case.target
        sums = None
        if t is not None and t.ndim == 2 and t.shape[1] == shape[1] and case.task == "multilabel":
            sums = [float(t.sum(1).min()), float(t.sum(1).max())]
        elif t is None and call is not None and call.name == "cross_entropy":
            sums = call.content.get("target.sums")
        if sums is None or sums[1] < 1.5 or sums[0] == sums[1]:
            continue
        return Finding(
            "loss_unsuited",
            STEP,
            "error",
            0.9,
            f"A sample has between {sums[0]:.0f} and {sums[1]:.0f} labels at once, but the outputs "
            "go through a softmax, which shares a sum of 1 among all classes: two labels of one "
            "sample compete, and none of them can come near 1.",
            [
                Measure(
                    "labels of a sample",
                    f"{sums[0]:.0f} to {sums[1]:.0f}",
                    "1 for a softmax",
                    "targets seen",
                )
            ],
            [
                Remedy(
                    {"loss": "binary_cross_entropy()"},
                    "a sigmoid for each label answers yes or no on its own",
                    "binary_cross_entropy_with_logits on the raw outputs",
                )
            ],
            {},
            0,
        )
    return None


def _deaf_to_a_class(case: Case) -> Finding | None:
    """A loss of two classes that says nothing of the samples of one: none of them ever sends a
    gradient back, whatever the network answers.
    """
    if case.task != "binary" or case.before_training or learned_enough(case, 0.8):
        return None
    senders: dict[float, list[bool]] = {}
    for look in case.looks:
        t, gradient = look.target, look.output_gradient
        if t is None or gradient is None or len(t) != len(gradient) or t.numel() != len(t):
            continue
        moved = gradient.reshape(len(gradient), -1).ne(0).any(1)
        for label, sends in zip(t.flatten().tolist(), moved.tolist(), strict=True):
            senders.setdefault(float(label), []).append(sends)
    if len(senders) != 2 or min(map(len, senders.values())) < LEAST_SAMPLES:
        return None
    (deaf, none), (heard, some) = sorted(senders.items(), key=lambda item: sum(item[1]))
    if any(none) or sum(some) < LEAST_SAMPLES:
        return None
    signs = deaf == 0 and heard == 1
    return Finding(
        "loss_unsuited",
        STEP,
        "error",
        0.85,
        f"No sample with the target {deaf:g} ever sends a gradient back: the loss is the same "
        f"whatever the network answers to it. Only those with {heard:g} are learned from, so that "
        "one answer for all is as good as any."
        + (
            " A hinge, y · output, wants -1 and 1 for its targets; a logarithmic loss needs the "
            "term of the other class, (1 - y) · log(1 - p), too."
            if signs
            else ""
        ),
        [
            Measure(
                f"samples with the target {deaf:g} that send a gradient",
                f"0 of {len(none)}",
                f"as of the others, {sum(some)} of {len(some)}",
                "gradient at the output, all looks",
            )
        ],
        [
            Remedy(
                {"loss": "binary_cross_entropy()"},
                "its gradient is p - t for either class",
                "binary_cross_entropy_with_logits(output, y), or 2 * y - 1 in place of y in a "
                "hinge",
            )
        ],
        {"target": deaf},
        0,
    )


def _are_numbers(case: Case) -> bool:
    """Whether whole numbers are grades or counts: one output, rounded, gives them about as often as
    a simple model of classes does.
    """
    output, pair = case.train_outputs, case.sample
    if output is None or pair is None or output.numel() != pair[1].numel():
        return False
    simple = simple_model_score(case)
    right = float((output.flatten().round() == pair[1].flatten().to(output)).double().mean())
    return case.task == "multiclass" and simple is not None and right >= simple - AS_OFTEN


def _numbers_for_classes(case: Case) -> Finding | None:
    t, identified = case.target, case.identified_loss
    if t is None or identified is None or identified.loss.function not in REGRESSION_LOSSES:
        return None
    numbers = torch.unique(t)
    classes = len(numbers)
    outputs = case.looks[0].shapes.get("output", ()) if case.looks else ()
    single = t.ndim == 1 or (t.ndim == 2 and t.shape[1] == 1)
    single &= t.is_floating_point() or outputs[1:] in ((), (1,))
    whole = 3 <= classes <= CLASSES and bool((numbers == torch.arange(classes).to(numbers)).all())
    if single and whole and len(t) > 5 * classes and not _are_numbers(case):
        return Finding(
            "loss_unsuited",
            STEP,
            "warning",
            0.75,
            f"The targets are the whole numbers 0 to {classes - 1}, as class indices are, and "
            f"{identified.name} measures the distance between "
            "them. If they are classes, one is not nearer to its neighbour than to any other, and "
            "one output cannot tell them apart.",
            [
                Measure(
                    "different targets", classes, "a number that varies freely", "targets seen"
                ),
                Measure("outputs per sample", 1, classes, "one per class"),
            ],
            [
                Remedy(
                    {"loss": "cross_entropy()"},
                    "one output per class, and the probability of each",
                    f"{classes} outputs and cross_entropy",
                )
            ],
            {},
            0,
        )
    closing = output_activation(case)
    squashed = identified.loss.link != "identity" or (
        closing is not None and closing.activation in ("sigmoid", "softmax")
    )
    if (
        case.task in ("binary", "multiclass")
        and squashed
        and not case.before_training
        and not learned_enough(case, 0.8)
    ):
        right = "binary_cross_entropy" if case.task == "binary" else "cross_entropy"
        return Finding(
            "loss_unsuited",
            STEP,
            "warning",
            0.65,
            f"A squared error behind a {closing.activation if closing else 'sigmoid'} gives "
            "hardly any gradient where an answer is sure but wrong, so that the worst samples "
            "teach the least.",
            [Measure("loss", identified.name, right, "gradient of one batch")],
            [
                Remedy(
                    {"loss": f"{right}()"},
                    "its gradient is the error itself, p - t",
                    f"use {right} on the raw outputs",
                )
            ],
            {},
            0,
        )
    return None
