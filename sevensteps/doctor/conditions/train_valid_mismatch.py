"""train_valid_mismatch: training and validation data were not prepared in the same way.

The validation score then says nothing about the network. Measured: both parts: the inputs' scale
and mean, how often each word comes, the classes that occur, rows in both, numbers in other units,
as those in which the network's answers, or weighed sums of them, would be right, and the labels,
where the network knows the training data: a validation score below half of what guessing reaches,
or classes that it takes for each other one for one, which only another coding of the labels can
give; answers that the labels have nothing to do with, as the nearest training samples have not,
although these tell each other's. And what the loop reports of its validation, against what the
network scores on the validation data.

Remedies: the training part's scaling for both; the same coding of labels; a split by class,
without duplicates; an evaluation of the network that is trained. Silent on: judging by the training
data themselves; tables of few different rows; rows of the same inputs whose target is another
number; parts that differ by chance.
"""

from __future__ import annotations

from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.class_names import class_subject
from sevensteps.doctor.copied_samples import copied_samples
from sevensteps.doctor.finding import Finding, Measure, Remedy, Severity
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.doctor.label_codes import labels_at_random, renamed_classes
from sevensteps.doctor.measures import learned_enough, significant
from sevensteps.doctor.pairs import targets_of
from sevensteps.doctor.recoded_words import recoded_words
from sevensteps.doctor.recomputed_targets import recomputed_targets
from sevensteps.doctor.relation import relation
from sevensteps.doctor.scaled_apart import are_apart, scaled_apart, scales_of_parts

STEP = "repeat"
EXPLAINS = ("overfitting", "mode_mismatch", "class_imbalance", "label_noise", "labels_unrelated")
BETTER = 0.2  # of the score, in other units
WORSE, TIMES_WORSE = 0.2, 2.0  # score and loss that the loop reports, than the network's
LEARNED, APART_SCORES = 0.5, 0.4  # R² in the training data, and by how much less it is elsewhere


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
    scales = scales_of_parts(case)
    if scales is None:
        return None
    remark = scaled_apart(case, *scales)
    if remark is not None and remark.severity == "error":
        return remark
    if (units := _numbers_apart(case) or _recomputed(case)) is not None:
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
            subject, several = class_subject(case, untrained)
            return _finding(
                "warning",
                0.9,
                f"{subject} {'occur' if several else 'occurs'} in the validation data only: the "
                f"network has never seen {'them' if several else 'it'}.",
                [Measure("classes without a training sample", len(untrained), 0, "")],
                "split by class (stratified)",
            )
    return copied_samples(case) or remark


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
    if not any(are_apart(float(r), float(s)) for r, s in zip(ratios, shifts, strict=True)):
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


def _recomputed(case: Case) -> Finding | None:
    """Validation targets that are weighed sums of the numbers that were learned."""
    matched = recomputed_targets(case)
    if matched is None:
        return None
    train, valid = case.scores["train"], case.scores["valid"]
    return _finding(
        "error",
        0.88,
        f"The network scores {train:.3g} on the training data and {valid:.3g} on the validation "
        f"data, and there {matched:.3g} where each target may be a weighed sum of all its answers: "
        "it knows the samples, and is asked for other numbers than it was taught, such as corners "
        "in place of sizes, or columns in another order.",
        [
            Measure(
                "validation score of weighed sums of the answers",
                significant(matched),
                significant(valid),
                "least squares on half of the validation data, judged on the other",
            )
        ],
        "make the targets of both parts by the same function, and print some of each",
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
