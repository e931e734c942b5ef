"""train_valid_mismatch: training and validation data were not prepared in the same way.

The validation score then says nothing about the network. Measured: both parts: the inputs' scale
and mean, how often each word comes, the classes that occur, rows in both, numbers in other units,
as those in which the network's answers would be right, and the labels, where the network knows the
training data: a validation score below half of what guessing reaches, or classes that it takes for
each other one for one, which only another coding of the labels can give; answers that the labels
have nothing to do with, as the nearest training samples have not, although these tell each other's.
And what the loop reports of its validation, against what the network scores on the validation data.

Remedies: the training part's scaling for both; the same coding of labels; a split by class,
without duplicates; an evaluation of the network that is trained. Silent on: judging by the training
data themselves; tables of few different rows; rows of the same inputs whose target is another
number; parts that differ by chance.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from sevensteps.data.checks import all_finite
from sevensteps.data.duplicates import count_duplicates
from sevensteps.doctor.case import Case, targets_of
from sevensteps.doctor.finding import Finding, Measure, Remedy, Severity
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.doctor.label_codes import labels_at_random, renamed_classes
from sevensteps.doctor.measures import learned_enough, significant
from sevensteps.doctor.recoded_words import recoded_words
from sevensteps.doctor.relation import relation

STEP = "repeat"
EXPLAINS = ("overfitting", "mode_mismatch", "class_imbalance", "label_noise", "labels_unrelated")
SCALE = 3.0  # standard deviations of the parts against each other
SHIFT = 1.0  # difference of the means in standard deviations
ROWS = 5000  # of each part whose scale is compared; copies are looked for among all
SHARED = 0.1  # share of validation rows that are training rows too, beyond what chance gives
AS_WELL = 0.05  # of the way from chance to a perfect score that the validation score may be lower
BETTER = 0.2  # of the score, in other units
WORSE, TIMES_WORSE = 0.2, 2.0  # score and loss that the loop reports, than the network's
LEARNED, APART_SCORES = 0.5, 0.4  # R² in the training data, and by how much less it is elsewhere
ODD = 0.02  # share of the rows that may be outliers


def examine(case: Case) -> Finding | None:
    if (finding := _other_numbers(case)) is not None:
        return finding
    if case.train is not None and not case.train[0].is_floating_point():
        return None if case.valid is None or case.before_training else _labels_apart(case)
    return _examine(case)


def _other_numbers(case: Case) -> Finding | None:
    """Words whose numbers come from another table in the validation data."""
    words = recoded_words(case)
    if words is None:
        return None
    train, valid = case.scores.get("train"), case.scores.get("valid")
    if train is not None and valid is not None and train - valid < APART_SCORES / 2:
        return None
    return _finding(
        "error",
        0.9,
        f"The words of the two parts come as often, but under other numbers: sorted by how often "
        f"they come, their shares differ by {words.sorted:.2g}, by number by {words.apart:.2g} "
        f"({words.chance:.2g} by chance). Each part was numbered by a table of its "
        "own, as a set or a vocabulary made anew has another order, and the network reads other "
        "words than those that were written.",
        [
            Measure(
                "difference of the parts' words by number, total variation",
                significant(words.apart),
                f"about {significant(words.chance):g}, by chance",
                "how often each number comes",
            )
        ],
        "make the table once, sorted(set(text)), store it with the network and use it for both",
    )


def _examine(case: Case) -> Finding | None:
    if (
        case.train is None
        or case.valid is None
        or len(case.valid[0]) < 10
        or not case.train[0].is_floating_point()
        or not case.valid[0].is_floating_point()
        or case.train[0].shape[1:] != case.valid[0].shape[1:]
    ):
        return None
    inputs = case.train[0], case.valid[0]
    scales = case.of_data("scales of the parts", lambda: [_scale(x[:ROWS]) for x in inputs])
    if scales[0] is None or scales[1] is None:
        return None
    (mean_a, spread_a), (mean_b, spread_b) = scales
    remark: Finding | None = None
    if spread_a > 0 and spread_b >= 0:
        ratio, shift = spread_b / spread_a, abs(mean_b - mean_a) / spread_a
        if _apart(ratio, shift):
            # without its outliers a part says how it was scaled
            first, second = (_scale(_without_outliers(x[:ROWS])) for x in inputs)
            odd = (
                first is not None
                and second is not None
                and first[1] > 0
                and not _apart(second[1] / first[1], abs(second[0] - first[0]) / first[1])
            )
            harmless = _carries_over(case)
            remark = _finding(
                "info" if odd or harmless else "error",
                0.6 if odd or harmless else 0.93,
                f"A few rows, at most {ODD:.0%}, lie far outside of all others, so that the spread "
                f"of the validation inputs is {spread_b:.3g} and that of the training inputs "
                f"{spread_a:.3g}. The rest of both parts is scaled alike."
                if odd
                else f"The validation inputs have a spread of {spread_b:.3g} and a mean of "
                f"{mean_b:.3g}, "
                f"the training inputs of {spread_a:.3g} and {mean_a:.3g}: they were not "
                "scaled alike, "
                "and the network meets inputs that it has never seen.",
                [
                    Measure(
                        "spread of validation against training inputs",
                        significant(ratio),
                        "about 1",
                        "",
                    ),
                    Measure(
                        "difference of the means, in standard deviations",
                        significant(shift),
                        f"below {SHIFT:g}",
                        "",
                    ),
                ],
                "look at these rows" if odd else "apply the training part's scaling to both parts",
            )
            if not odd and not harmless:
                return remark
    if (units := _numbers_apart(case)) is not None:
        return units
    classes, chance = case.task in ("binary", "multiclass"), case.baseline_score
    scores = case.scores if classes and learned_enough(case, 0.6) else {}
    train, valid = scores.get("train"), scores.get("valid")
    if (
        train is not None
        and valid is not None
        and chance is not None
        and len(case.valid[0]) >= 50
        and valid < 0.5 * min(chance, 1 - chance)
        and train > 0.7
    ):
        return _finding(
            "error",
            0.93,
            f"The network scores {train:.3g} on the training data and {valid:.3g} on the "
            "validation data, far "
            "less than guessing would: it recognises the samples, but the labels are coded "
            "differently there.",
            [
                Measure(
                    "validation score", significant(valid), f"above {chance:.3g}, by guessing", ""
                )
            ],
            "check how the labels of the two parts are coded: shifted by one, or in another order",
        )
    if (apart := _labels_apart(case) or _judged_otherwise(case) or _follows(case)) is not None:
        return apart
    if classes and case.labels is not None:
        labels, targets = case.labels, case.valid[1].cpu()
        untrained: list[int] = case.of_data(
            "classes without a training sample",
            lambda: sorted(
                set(class_indices(targets).unique().tolist()) - set(labels.unique().tolist())
            ),
        )
        if untrained:
            return _finding(
                "warning",
                0.9,
                f"Class {', '.join(map(str, untrained[:5]))} occurs in the validation data only: "
                "the "
                "network has "
                "never seen it.",
                [Measure("classes without a training sample", len(untrained), 0, "")],
                "split by class (stratified)",
            )
    shared, by_chance = case.of_data(
        "share of copies", lambda: (_shared(*_with_amounts(case)), _copies_by_chance(inputs[0]))
    )
    # judging by the very training data is a choice that everybody sees
    chosen = case.train[0].data_ptr() == case.valid[0].data_ptr()
    if shared > SHARED + by_chance and not chosen:
        return _finding(
            "warning",
            0.85,
            f"{shared:.0%} of the validation samples are in the training data too: the validation "
            "score "
            "measures memory.",
            [
                Measure(
                    "validation rows that are training rows",
                    significant(shared),
                    f"below {SHARED + by_chance:.2g}",
                    "exact copies",
                )
            ],
            "drop duplicates before the split",
        )
    return remark


def _follows(case: Case) -> Finding | None:
    """Validation targets that do not follow from their inputs as those of the training data do."""
    if case.before_training:
        return None
    train, valid = case.scores.get("train"), case.scores.get("valid")
    if train is None or valid is None or train - valid < APART_SCORES or train < LEARNED:
        return None
    lines = relation(case)
    if lines is None or lines.train < LEARNED or lines.train - lines.valid < APART_SCORES:
        return None
    return _finding(
        "error",
        0.88,
        f"The network scores {train:.3g} on the training data and {valid:.3g} on the validation "
        f"data, and that is no memory: a straight line through half of the training data explains "
        f"{max(lines.train, 0):.2f} of the variance of the other half, and that of all of them "
        f"{max(lines.valid, 0):.2f} of the validation targets. Targets follow from the inputs in "
        "another way there: inputs were computed otherwise, or tell of the target in the training "
        "data alone.",
        [
            Measure(
                "R² of a line in the validation data",
                significant(lines.valid),
                f"about {significant(lines.train):g}, as within the training data",
                "least squares, halves of the training data against each other",
            )
        ],
        "compute every input alike for both parts, from what is known before the target",
    )


def _numbers_apart(case: Case) -> Finding | None:
    """Validation targets of a regression in other units than those that were learned: another
    scale or zero point, with which the network's answers would be right.
    """
    if (
        case.task != "regression"
        or case.target is None
        or not {"train", "valid"} <= case.scores.keys()
        or not learned_enough(case, 0.6)
    ):
        return None
    output, targets = case.valid_outputs, targets_of(case.valid_examples)
    if output is None or targets is None or output.numel() != targets.numel():
        return None
    learned, asked = (t.detach().cpu().double().reshape(len(t), -1) for t in (case.target, targets))
    spread = learned.std(0)
    ratios, shifts = asked.std(0) / spread, (asked.mean(0) - learned.mean(0)).abs() / spread
    if not any(_apart(float(r), float(s)) for r, s in zip(ratios, shifts, strict=True)):
        return None
    answers = output.double().reshape(asked.shape)
    matched = _score_of_line(answers, asked)
    train, valid = case.scores["train"], case.scores["valid"]
    if matched - valid < BETTER or matched < train - BETTER:
        return None
    return _finding(
        "error",
        0.9,
        f"The network scores {train:.3g} on the training data and {valid:.3g} on the validation "
        f"data, and there {matched:.3g} where its answers are multiplied by one number and another "
        f"is added: the validation targets have a mean of {float(asked.mean()):.3g} and a spread "
        f"of {float(asked.std()):.3g}, the training targets of {float(learned.mean()):.3g} and "
        f"{float(learned.std()):.3g}. They are not in the same units.",
        [
            Measure(
                "validation score in other units",
                significant(matched),
                significant(valid),
                "least squares: targets = a · answers + b",
            )
        ],
        "apply the training part's scaling to the targets of both parts, and judge in one of them",
    )


def _score_of_line(answers: Tensor, targets: Tensor) -> float:
    """R² of targets = a · answers + b, fitted for each output, a above 0."""
    a, b = answers - answers.mean(0), targets - targets.mean(0)
    along = (a * b).sum(0).clamp_min(0)
    explained = along.square() / a.square().sum(0).clamp_min(1e-300)
    return float(explained.sum() / b.square().sum().clamp_min(1e-300))


def _judged_otherwise(case: Case) -> Finding | None:
    """Scores and losses that a loop reports of its validation, all of them far worse than those of
    the network on the validation data.
    """
    reported = case.observation.evaluations
    scores = [score for _, _, score in reported if score is not None]
    losses = [loss for _, loss, _ in reported if loss is not None]
    if len(scores) < 2 or len(losses) < 2 or case.loss is None or case.valid is None:
        return None
    if case.task not in ("binary", "multiclass"):
        return None
    own, outputs = case.scores.get("valid"), case.valid_outputs
    if own is None or outputs is None or own - max(scores) < WORSE:
        return None
    try:
        loss = float(case.loss(outputs, case.valid[1]).mean())
    except Exception:  # a loss that takes more than outputs and targets
        return None
    if not min(losses) > TIMES_WORSE * loss:
        return None
    return _finding(
        "warning",
        0.75,
        f"The loop reports a validation score of {max(scores):.3g} at best and a loss of "
        f"{min(losses):.3g}; on the validation data the network scores {own:.3g}, with a loss of "
        f"{loss:.3g}. What the loop judges is another network, such as a copy that is not kept up "
        "to date, or data that were prepared in another way.",
        [
            Measure(
                "best validation score that the loop reports",
                significant(max(scores)),
                f"about {significant(own):g}",
                "the network on valid=",
            )
        ],
        "evaluate the network that is trained, on inputs that are prepared as those for training",
    )


def _labels_apart(case: Case) -> Finding | None:
    """Labels of the validation data in another code, or in another order than the inputs."""
    if not learned_enough(case, 0.6) or (score := case.scores.get("valid")) is None:
        return None
    if (renaming := renamed_classes(case)) is not None:
        names, matched = renaming
        pairs = ", ".join(f"{name} for {answer}" for answer, name in list(names.items())[:5])
        return _finding(
            "error",
            0.9,
            f"The network scores {score:.3g} on the validation data, and {matched:.3g} if their "
            f"labels are renamed: they have {pairs}. The labels of the two parts are coded "
            "differently.",
            [
                Measure(
                    "validation score with the labels renamed",
                    significant(matched),
                    significant(score),
                    "each answer's most frequent label",
                )
            ],
            "check how the labels of the two parts are coded: by one list of names for both",
        )
    if not labels_at_random(case):
        return None
    return _finding(
        "error",
        0.85,
        f"The network scores {case.scores['train']:.3g} on the training data and {score:.3g} on "
        "the validation data, no more than answers have in common with labels that have nothing to "
        "do with them; and simple models of the training data, which tell labels of its own that "
        "they were not fitted to, do not tell those of the validation data either. Their "
        "labels are in another order than their inputs, or their inputs are prepared, or numbered, "
        "in another way.",
        [Measure("validation score", significant(score), "above chance", "")],
        "check that inputs and labels of the validation data are read, sorted and split together",
    )


def _carries_over(case: Case) -> bool:
    """Whether the network learned, and answers validation inputs as well as training inputs, as
    those of a series that goes on.
    """
    train, valid = case.scores.get("train"), case.scores.get("valid")
    if train is None or valid is None or not learned_enough(case, 0.6):
        return False
    return valid > train - AS_WELL * (1 - (case.baseline_score or 0.0))


def _apart(ratio: float, shift: float) -> bool:
    return ratio > SCALE or ratio < 1 / SCALE or shift > SHIFT


def _without_outliers(x: Tensor) -> Tensor:
    """`x` without the rows that are furthest from the usual ones."""
    flat = x.detach().cpu().flatten(1).float()
    distance = (flat - flat.median(0).values).abs().amax(1)
    kept = max(1, len(x) - max(3, round(ODD * len(x))))
    return x[distance.argsort()[:kept].to(x.device)]


def _copies_by_chance(train: Tensor) -> float:
    """The share of training rows that another training row equals, where no column varies freely:
    in a table of few values a random split has about as many copies on either side.
    """
    some = train[:ROWS].detach().cpu().flatten(1)
    if max(len(column.unique()) for column in some.T[:200]) > len(some) / 2:
        return 0.0  # numbers that vary freely are not alike by chance
    rows = [row.tobytes() for row in some.numpy()]
    times = Counter(rows)
    return sum(times[row] > 1 for row in rows) / len(rows)


def _scale(x: Tensor) -> tuple[float, float] | None:
    """Mean and standard deviation of all numbers; None where one is not finite."""
    numbers = x.detach().cpu().float()
    return (float(numbers.mean()), float(numbers.std())) if all_finite(numbers) else None


def _with_amounts(case: Case) -> list[Tensor]:
    """The inputs of both parts as rows, with the targets where these are amounts: a copy has the
    target, too, while rows that are alike by chance have not.
    """
    assert case.train is not None
    assert case.valid is not None
    if case.task != "regression" or len(case.train[1]) != len(case.train[0]):
        return [case.train[0], case.valid[0]]
    return [
        torch.cat([x.flatten(1), y.reshape(len(x), -1).to(x)], 1)
        for x, y in (case.train, case.valid)
    ]


def _shared(train: Tensor, valid: Tensor) -> float:
    """The share of validation inputs that are training inputs, of all where they can be compared;
    tables of few values are left out.
    """
    some = train[:ROWS].detach().cpu().flatten(1)
    if some.shape[1] < 3 or len({row.tobytes() for row in some.numpy()}) < 0.5 * len(some):
        return 0.0
    valid = valid.to(train.dtype)
    copies = count_duplicates(train, valid)
    if copies is None:
        train, valid = train[:ROWS], valid[:ROWS]
        copies = count_duplicates(train, valid)
    return (copies or 0) / len(valid)


def _finding(
    severity: Severity, confidence: float, explanation: str, evidence: list[Measure], advice: str
) -> Finding:
    return Finding(
        "train_valid_mismatch",
        STEP,
        severity,
        confidence,
        explanation,
        evidence,
        [Remedy({}, "both parts then ask the same question", advice)],
        {},
        None,
    )
