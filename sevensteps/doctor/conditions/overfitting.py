"""overfitting: the network has memorised its training samples and does worse on others.

The longer it trains, the worse it does on them. Measured: the gap between training and validation
score, and a validation loss that turned and rose; in a loop of yours, whose validation losses are
not known, the gap alone. A smaller gap counts where the training samples are all known by heart,
the training went on until next to nothing of its loss was left, and they are so few that the
nearest of all of them answers far more validation samples than the nearest of half of them. Where
there are no scores, the validation losses that the loop reports, of which the last are no better
than half of what an answer that ignores the input is worth. Source:
Goodfellow, Bengio, Courville, Deep Learning (2016), ch. 5.2.

Where the training samples are known by heart, the gap is remarked on even if the validation loss
has not risen, also by few validation samples if it is more than chance; a smaller gap that is more
than chance, if the validation loss has risen: the wrong answers become ever more sure.

Remedies: `patience(3)`, or the weights of the best validation loss; more data, dropout, weight
decay, a smaller network. Silent on: a gap while the validation loss still falls; fewer than 20
validation samples; a network that does not fit its training data, unless less than half of what it
knows of them holds for the others.
"""

from __future__ import annotations

import statistics

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    final_loss,
    first_loss,
    learned_enough,
    significant,
    stop_with_patience,
)
from sevensteps.doctor.validation_neighbours import gain_of_samples
from sevensteps.observe.structure import sample_count

STEP = "stop"
EXPLAINS: tuple[str, ...] = ()
GAP, WIDE_GAP = 0.2, 0.3  # of the score, in a network that knows its samples well, and half
FEWEST, ENOUGH = 10, 20  # validation samples: for a remark, and for more than that
MANY = 100  # of them, by which half of the score is judged
RISEN = 1.25  # times the least validation loss
# where so few samples are known by heart that twice as many would answer more of the others
SMALL_GAP, BY_HEART, GAIN = 0.08, 0.99, 0.03
# by validation losses alone: how far they rose, and which share of an ignorant answer's loss they
# and the training loss are in the end
MUCH_RISEN, HALF, KNOWN = 1.5, 0.5, 0.1
LEFT = 0.005  # of the first loss: a training that ends when it has learned has more


def examine(case: Case) -> Finding | None:
    return _by_scores(case) or _by_evaluations(case)


def _by_evaluations(case: Case) -> Finding | None:
    """By the validation losses that the loop reported: they turned and rose, while the training
    loss fell on.
    """
    reported = [(step, loss) for step, loss, _ in case.observation.evaluations if loss is not None]
    if len(reported) < 5 or case.before_training or "valid" in case.scores:
        return None
    if not case.loss_is_error:
        return None
    start = case.baseline_loss or first_loss(case)
    step, least = min(reported, key=lambda evaluation: evaluation[1])
    last = statistics.median(loss for _, loss in reported[-3:])
    known = final_loss(case) < (KNOWN if last > MUCH_RISEN * least else LEFT) * start
    if not known or not last > max(least, HALF * start):
        return None
    return Finding(
        "overfitting",
        STEP,
        "warning",
        0.8,
        f"The validation loss was least at step {step:,}, {least:.3g}, and rose to {last:.3g}, "
        f"while the training loss fell to {final_loss(case):.2g}: the network learns its training "
        "samples by heart.",
        [
            Measure(
                "validation loss, end against its least",
                significant(last / least),
                "about 1",
                "as the loop reported it",
            ),
            Measure("training loss at the end", significant(final_loss(case)), "", ""),
        ],
        _remedies(case),
        {},
        None,
    )


def _by_scores(case: Case) -> Finding | None:
    if (
        case.before_training
        or (valid_pair := case.part("valid")) is None
        or sample_count(valid_pair[0]) < FEWEST
        or not {"train", "valid"} <= case.scores.keys()
    ):
        return None
    train, valid = case.scores["train"], case.scores["valid"]
    gap, least = train - valid, case.baseline_score or 0.0
    if not learned_enough(case, 0.8) and not (
        # less than half of what was learned holds elsewhere, which few samples cannot say
        learned_enough(case, 0.5)
        and gap >= WIDE_GAP
        and valid - least < (train - least) / 2
        and sample_count(valid_pair[0]) >= MANY
    ):
        return None
    losses = [
        row["valid"]["loss"] for row in case.history if isinstance(row["valid"].get("loss"), float)
    ]
    risen = losses[-1] / min(losses) if len(losses) > 4 and min(losses) > 0 else None
    count = sample_count(valid_pair[0])
    few = _too_few_samples(case, train, valid, count) if gap < GAP and count >= ENOUGH else 0.0
    rose = risen is None or risen >= RISEN
    known = _known_by_heart(case, train, valid, count) or (
        risen is not None and _ever_more_sure(case, train, valid, count, risen)
    )
    if not known and (count < ENOUGH or not rose or (gap < GAP and not few)):
        return None
    remark = known and (count < ENOUGH or not rose or (gap < GAP and not few))
    best = losses.index(min(losses)) if risen is not None else None
    evidence = [
        Measure(
            "score on training and on validation data",
            f"{train:.3g}, {valid:.3g}",
            f"less than {SMALL_GAP if gap < GAP else GAP:g} apart",
            "",
        )
    ]
    if risen is not None:
        evidence.append(
            Measure(
                "validation loss, end against its least",
                significant(risen),
                f"below {RISEN:g}",
                f"least at evaluation {best}",
            )
        )
    if few:
        evidence.append(
            Measure(
                "validation samples more that the nearest of all training samples answers than the "
                "nearest of half of them",
                f"{few:.1%}",
                f"below {GAIN:.0%}",
                "without any network",
            )
        )
    return Finding(
        "overfitting",
        STEP,
        "info" if remark else "warning",
        0.8 if risen is not None else 0.65,
        f"The network scores {train:.3g} on the samples it was trained on and {valid:.3g} on "
        "others: it has learned them by heart"
        + (
            f", and its validation loss has risen to {risen:.2g} times its least."
            if risen is not None and rose
            else f"; there are {_training_samples(case)} samples to learn from, and {count} to "
            "validate by."
            if remark
            else "."
        ),
        evidence,
        _remedies(case),
        {},
        None,
    )


def _known_by_heart(case: Case, train: float, valid: float, count: int) -> bool:
    """Whether all training samples are known and far fewer of the others, by more than chance."""
    if train < BY_HEART or train - valid < GAP:
        return False
    if case.task in ("binary", "multiclass"):
        return bool(train - valid > 2 * (valid * (1 - valid) / count) ** 0.5)
    return count >= ENOUGH


def _ever_more_sure(case: Case, train: float, valid: float, count: int, risen: float) -> bool:
    """Whether all training samples are known and fewer of the others, by more than chance, while
    the validation loss has risen.
    """
    if case.task not in ("binary", "multiclass") or train < BY_HEART or count < ENOUGH:
        return False
    chance = 2 * (valid * (1 - valid) / count) ** 0.5
    return bool(risen >= RISEN and train - valid >= max(SMALL_GAP, chance))


def _training_samples(case: Case) -> str:
    """How many training samples there are, in words."""
    return "a few" if case.train is None else f"{sample_count(case.train[0]):,}"


def _remedies(case: Case) -> list[Remedy]:
    return [
        Remedy(
            {"stop": stop_with_patience(case, 3)},
            "stop where validation is best",
            "keep the weights of the best validation loss",
        ),
        Remedy(
            {},
            "fewer ways to learn by heart",
            "more data, dropout, weight decay, or a smaller network",
        ),
    ]


def _too_few_samples(case: Case, train: float, valid: float, count: int) -> float:
    """By how much the nearest of all training samples answers better than that of half of them,
    where all are known by heart, the gap is more than chance and that gain is large; else 0.
    """
    chance = 3 * (valid * (1 - valid) / count) ** 0.5
    if case.task not in ("binary", "multiclass") or train < BY_HEART:
        return 0.0
    if train - valid < max(SMALL_GAP, chance) or final_loss(case) > LEFT * first_loss(case):
        return 0.0
    gain = gain_of_samples(case)
    return gain if gain >= GAIN else 0.0
