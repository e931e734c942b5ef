"""label_noise: a share of the labels is wrong.

Nearly all neighbours of such a sample have another label, although no boundary is near. Measured:
among the nearest neighbours of each sample, at most one agrees with a label that most of the others
contradict with one voice; or the nearest training samples tell the validation labels far better
than they tell each other's, so that the difference is wrong labels among them. Source: Wilson 1972,
Asymptotic properties of nearest neighbor rules.

Also of samples as they were fed, where they are not those of the training data: what an
augmentation made of them may be of another class, that of their neighbours in these data.

Remedies: look at the samples that the finding names, and correct or drop them; `patience(2)`
stops before they are learned by heart; leave out the augmentation that changes classes. Silent on:
inputs changed on the way in a network that is as good as a simple model; classes that overlap,
where neighbours are of several minds; classes of which neighbours contradict as many samples as
they confirm, as the inputs do not tell these from others; classes that neighbours do not tell,
where the network answers validation samples far better than their neighbours do; tables that are
mostly columns of one text each, in which nothing lies near; samples so few that neighbours are
none, of which twice as many would tell far more; fewer than 100 samples; regressions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.fed_data import comparison
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.doctor.measures import significant, stop_with_patience
from sevensteps.doctor.simple_models import (
    MAX_COLUMNS,
    nearest_samples,
    standardized_table,
    worse_than_simple_model,
)
from sevensteps.doctor.validation_neighbours import both_parts, gain_of_samples
from sevensteps.observe.data_sketch import hash_rows

STEP = "repeat"
EXPLAINS = ("overfitting", "underfitting", "batch_too_small", "stopped_early", "too_small")
UNCHANGED = 0.8  # of the rows fed are those of the training data
BEHIND = 0.15  # of the score, that the network is below a simple model
SHARE = 0.08  # of the samples
NEIGHBOURS = 10  # of each sample
MOST = 6  # of them are of one mind
WORSE = 0.15  # of the labels, that neighbours tell among themselves, than of validation labels
FEWEST = 300  # training samples; of fewer the sample left out is missed
GAIN = 0.03  # of the validation labels: samples so few that neighbours lie far from each other
BEYOND = 0.15  # of the validation score, between the network and the neighbours
RARE = 0.1  # of the rows have the rarer value of a column of two, as a text's own column does


def examine(case: Case) -> Finding | None:
    if case.before_training or case.task not in ("binary", "multiclass"):
        return None
    if not case.loss_is_error:
        return None  # then the labels need not be those of the inputs
    if case.part("train") is None and (case.identified_loss is None or len(case.loss_calls) > 1):
        return None  # nor where inputs are mixed, and their labels with them
    return _wrong_labels(case) or _changed_on_the_way(case)


def _changed_on_the_way(case: Case) -> Finding | None:
    """Inputs that were changed before they were fed, and look like another class than their own."""
    compared = comparison(case)
    if compared is None or compared.known > UNCHANGED or not worse_than_simple_model(case, BEHIND):
        return None
    votes = _votes_of_data(case)
    if votes is None:
        return None
    own, most = votes
    share = float(((own <= 1) & (most >= MOST)).double().mean())
    if share < SHARE:
        return None
    return Finding(
        "label_noise",
        STEP,
        "warning",
        0.85,
        f"{1 - compared.known:.0%} of the inputs were changed before they were fed, and "
        f"{share:.0%} of those look like another class than the one they were fed with: nearly all "
        "of their neighbours in the training data have another label. A change that a class does "
        "not survive, as of left and right where sides matter, makes labels wrong.",
        [
            Measure(
                "changed inputs contradicted by their neighbours in the training data",
                significant(share),
                f"below {SHARE:g}",
                f"{NEIGHBOURS} nearest of {len(own)} samples as they were fed",
            )
        ],
        [
            Remedy(
                {},
                "the network can only learn what the changed inputs and their labels agree on",
                "train without the augmentation, then put its parts back one by one",
            )
        ],
        {},
        0,
    )


def _votes_of_data(case: Case) -> tuple[Tensor, Tensor] | None:
    """How many of the nearest training samples of each input that was changed have its class, and
    how many the class that most of them have; None where there are too few.
    """
    x, y = case.observation.x, case.observation.y
    if case.train is None or x is None or y is None or len(x) != len(y):
        return None
    data, labels = case.train
    if x.shape[1:] != data.shape[1:] or y.shape[1:] != labels.shape[1:]:
        return None
    if not (x.is_floating_point() and data.is_floating_point()) or x[0].numel() > MAX_COLUMNS:
        return None
    known = set(_hashes(data))
    changed = [row for row, number in enumerate(_hashes(x)) if number not in known]
    if len(changed) < 50 or len(data) < 100:
        return None
    few = torch.linspace(0, len(data) - 1, min(800, len(data))).long()
    near, fed = data[few].flatten(1).double(), x[changed[:400]].flatten(1).double()
    scale = near.std(0).clamp_min(1e-12)
    nearest = torch.cdist(fed / scale, near / scale).topk(NEIGHBOURS, largest=False).indices
    classes = class_indices(labels[few].cpu())
    counts = torch.nn.functional.one_hot(classes)[nearest].sum(1)
    own = class_indices(y[changed[:400]].cpu()).clamp_max(counts.shape[1] - 1)
    return counts.gather(1, own[:, None])[:, 0], counts.amax(1)


def _hashes(x: Tensor) -> list[int]:
    hashes = hash_rows([x], len(x), len(x))
    return [] if hashes is None else hashes.tolist()


def _wrong_labels(case: Case) -> Finding | None:
    """Samples of the training data itself whose neighbours contradict them."""
    votes = case.of_data("votes of neighbours", lambda: _votes(case))
    if votes is None:
        return None
    own, most, classes = votes
    agreeing = float((most >= MOST).double().mean())
    wrong = (own <= 1) & (most >= MOST) & _recognised(own, most, classes)[classes]
    share = float(wrong.double().mean())
    told, known = _told_labels(case)
    compared = known - told >= WORSE
    contradicted = share >= SHARE and agreeing >= 0.3
    if not (compared or (contradicted and gain_of_samples(case) < GAIN)):
        return None
    if _neighbours_mislead(case):
        return None
    return Finding(
        "label_noise",
        STEP,
        "warning",
        0.75,
        (
            f"The nearest training samples tell {known:.0%} of the validation labels, and "
            f"{told:.0%} of each other's: about {1 - told / known:.0%} of the training labels are "
            "probably wrong."
            if compared
            else f"{share:.0%} of the samples examined have another label than nearly all of "
            "their neighbours, which agree among themselves: about "
            f"{share / max(agreeing, share):.0%} of the labels are probably wrong."
        )
        + " A network that trains long enough learns them by heart.",
        [
            Measure(
                "training labels that neighbours predict, of the validation labels that they tell",
                significant(told / known),
                "about 1",
                "5 nearest training samples",
            )
            if compared
            else Measure(
                "samples contradicted by their neighbours",
                significant(share),
                f"below {SHARE:g}",
                f"{NEIGHBOURS} nearest of {len(wrong)} samples",
            )
        ],
        [
            Remedy(
                {"stop": stop_with_patience(case, 2)},
                "stop before the wrong labels are learned by heart",
                "look at the samples named here, and correct or drop them",
            )
        ],
        {"samples": torch.nonzero(wrong).flatten().tolist()[:32]},
        0,
    )


def _told_labels(case: Case) -> tuple[float, float]:
    """The shares of the training and of the validation labels that the nearest training samples
    tell; twice the same where that cannot be asked.
    """
    parts = both_parts(case)
    if parts is None or len(parts.y) < FEWEST or len(parts.valid_y) < FEWEST / 3:
        return 1.0, 1.0
    told: tuple[float, float] = case.of_data(
        "labels that neighbours predict", lambda: (parts.score_among_themselves(), parts.score())
    )
    return told


def _neighbours_mislead(case: Case) -> bool:
    """Whether the network is right about validation samples whose nearest training samples are not:
    then samples that lie near each other need not be alike.
    """
    parts, valid = both_parts(case), case.scores.get("valid")
    return parts is not None and valid is not None and valid - parts.score() > BEYOND


def _votes(case: Case) -> tuple[Tensor, Tensor, Tensor] | None:
    """How many of the neighbours of each sample have its own class, how many the class that most of
    them have, and its class; None where there are too few samples, or none that lies near.
    """
    table = standardized_table(case, 800)
    if table is None or len(table[0]) < 100 or _is_mostly_texts(table[0]):
        return None
    x, y = table
    counts = torch.nn.functional.one_hot(y)[nearest_samples(x, NEIGHBOURS)].sum(1)
    return counts.gather(1, y[:, None])[:, 0], counts.amax(1), y


def _recognised(own: Tensor, most: Tensor, classes: Tensor) -> Tensor:
    """Of each class, whether its neighbours confirm more of its samples than they contradict: wrong
    labels lie among right ones, while classes that the inputs do not tell apart have none.
    """
    confirmed = torch.bincount(classes, (own >= MOST).double())
    contradicted = torch.bincount(classes, ((own <= 1) & (most >= MOST)).double())
    return confirmed > contradicted


def _is_mostly_texts(x: Tensor) -> bool:
    """Whether most columns have two values, one of them rare, as those that texts become: two rows
    then differ by the texts that they have, as far as any other two.
    """
    upper = [column == column.max() for column in x.T if len(column.unique()) == 2]
    shares = [float(has_it.double().mean()) for has_it in upper]
    rare = sum(min(share, 1 - share) < RARE for share in shares)
    return rare > x.shape[1] / 2
