"""Whether the labels of the validation data mean what those of the training data mean, read off
what a network that knows the training data answers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.doctor.pairs import targets_of
from sevensteps.doctor.probes import JUDGED, relation_across
from sevensteps.doctor.validation_neighbours import both_parts
from sevensteps.observe.structure import sample_count

FEWEST = 50  # validation samples
MATCHED = 0.7  # score with the names put right
GAINED = 0.15  # of it
SIGMAS = 3.0  # within which agreement is chance
CLEAR = 0.4  # of the way from chance to perfect that neighbours tell the training labels


def renamed_classes(case: Case) -> tuple[dict[int, int], float] | None:
    """Which class each answered one has for a label in the validation data, where that is another
    for some, and the score with these put right. None where the labels are those of the training
    data.
    """
    valid = case.scores.get("valid")
    if valid is None or valid > 1 - GAINED or (answered := _answers_and_classes(case)) is None:
        return None
    answers, classes = answered
    count = int(torch.cat([answers, classes]).max()) + 1
    confusion = torch.bincount(answers * count + classes, minlength=count**2).view(count, count)
    given = [c for c in range(count) if int(confusion[c].sum()) > 0]
    names = {c: int(confusion[c].argmax()) for c in given}
    score = sum(int(confusion[c, name]) for c, name in names.items()) / len(classes)
    one_to_one = len(set(names.values())) == len(names)
    if not one_to_one or score < MATCHED or score - valid < GAINED:
        return None
    return {c: name for c, name in names.items() if c != name}, score


def labels_at_random(case: Case) -> bool:
    """Whether the validation labels have nothing to do with their inputs, by the network's answers
    and by the nearest training samples, which tell each other's labels well, or by small models of
    the training data, which tell its own labels well.
    """
    if case.scores.get("valid", 1.0) > 1 - GAINED:
        return False
    return _by_neighbours(case) or _by_small_models(case)


def _by_small_models(case: Case) -> bool:
    if case.task == "regression":
        at_random = _numbers_at_random(case)
    else:
        answered = _answers_and_classes(case)
        at_random = answered is not None and _classes_at_random(case, *answered)
    if not at_random or (relation := relation_across(case)) is None:
        return False
    within, across = relation
    count = sample_count(case.valid[0]) if case.valid is not None else 1
    return within > CLEAR and across < SIGMAS / math.sqrt(min(count, JUDGED))


def _classes_at_random(case: Case, answers: Tensor, classes: Tensor) -> bool:
    """Whether the answers are right as often as if they knew nothing of the sample."""
    count = int(torch.cat([answers, classes]).max()) + 1
    shares = [torch.bincount(c, minlength=count) / len(c) for c in (answers, classes)]
    chance = float(shares[0] @ shares[1])
    luck = SIGMAS * math.sqrt(chance * (1 - chance) / len(classes))
    return abs(case.scores["valid"] - chance) < luck


def _by_neighbours(case: Case) -> bool:
    if (parts := both_parts(case)) is None or len(parts.valid_y) < FEWEST:
        return False
    if parts.y.is_floating_point():
        return _numbers_at_random(case) and (
            parts.score() < 0.1 and parts.score_among_themselves() > CLEAR
        )
    if (answered := _answers_and_classes(case)) is None:
        return False
    answers, classes = answered
    count = int(torch.cat([answers, classes, parts.y]).max()) + 1
    shares = [torch.bincount(c, minlength=count) / len(c) for c in (answers, classes)]
    chance = float(shares[0] @ shares[1])
    luck = SIGMAS * math.sqrt(chance * (1 - chance) / len(classes))
    largest = float(torch.bincount(parts.y).max()) / len(parts.y)
    return (
        abs(case.scores["valid"] - chance) < luck
        and parts.score() < max(chance, float(shares[1].max())) + luck
        and parts.score_among_themselves() > largest + CLEAR * (1 - largest)
    )


def _numbers_at_random(case: Case) -> bool:
    """Whether answers and targets are not correlated."""
    output = case.valid_outputs
    truth = targets_of(case.valid_examples)
    if output is None or truth is None or output.numel() != truth.numel():
        return False
    pair = torch.stack([output.reshape(-1), truth.cpu().reshape(-1)]).double()
    correlation = float(torch.corrcoef(pair)[0, 1])
    return abs(correlation) < SIGMAS / math.sqrt(pair.shape[1])


def _answers_and_classes(case: Case) -> tuple[Tensor, Tensor] | None:
    """The classes that the network answers for the validation data, and their labels."""
    output, truth = case.valid_outputs, targets_of(case.valid_examples)
    if case.task not in ("binary", "multiclass") or output is None or truth is None:
        return None
    if len(output) < FEWEST:
        return None
    answers, classes = case.answers(output, "identity"), class_indices(truth.cpu())
    if len(answers) != len(classes) or int(classes.min()) < 0:
        return None
    return answers, classes
