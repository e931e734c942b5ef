"""Samples ranked by their loss, and the confusion of classes."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch
from sklearn.metrics import confusion_matrix

from sevensteps.errors import ArgumentError
from tests.explain.conftest import MADE, Runs, made


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("part", ["train", "valid"])
def test_the_ranking(runs: Runs, name: str, part: str) -> None:
    run = runs(name)
    x, y = run.explain.subject.part(part)
    with torch.no_grad():
        expected = run.recipe.loss.value(
            run.network(x).double(), y.double() if y.is_floating_point() else y
        )
    worst = run.explain.samples(worst=4, part=part)
    best = run.explain.samples(best=4, part=part)
    assert [row.loss for row in worst.ranked] == pytest.approx(
        expected.sort(descending=True).values[:4].tolist(), rel=1e-5, abs=1e-7
    )
    assert [row.loss for row in best.ranked] == pytest.approx(
        expected.sort().values[:4].tolist(), rel=1e-5, abs=1e-7
    )
    assert worst.mean == pytest.approx(float(expected.mean()), rel=1e-5)
    assert worst.total == len(y)
    for row in worst.ranked:
        one = run.explain.sample(row.index, part)
        assert (one.loss, one.truth) == (pytest.approx(row.loss, rel=1e-4, abs=1e-6), row.truth)
        if type(run.recipe.loss).__name__ in ("cross_entropy", "negative_log_likelihood"):
            assert -math.log(row.p) == pytest.approx(row.loss, rel=1e-6)
    json.dumps(worst.to_dict())
    assert all(len(line) <= 80 for line in worst.text().splitlines())


@pytest.mark.parametrize(
    "name", ["digits", "digits37", "iris", "hinge", "perceptron", "similarity"]
)
def test_the_confusion(runs: Runs, name: str) -> None:
    run = runs(name)
    x, _ = run.explain.subject.part("valid")
    stored = run.explain.subject.data.valid.y.reshape(-1).long()
    with torch.no_grad():
        answers = run.output.decide(run.network(x))
    found = run.explain.confusion()
    assert found.counts == tuple(
        map(tuple, confusion_matrix(stored, answers, labels=range(len(found.classes))).tolist())
    )
    assert found.total == len(stored)
    assert found.right == int((stored == answers).sum())
    assert all(len(line) <= 80 for line in found.text().splitlines())


def test_the_confusion_of_labels(runs: Runs) -> None:
    run = runs("labels")
    part = run.explain.subject.data.valid
    with torch.no_grad():
        answers = run.network(part.x) > 0
    found = run.explain.confusion()
    for label, counts in enumerate(found.counts):
        (right_no, false_yes), (false_no, right_yes) = confusion_matrix(
            part.y[:, label], answers[:, label], labels=[0, 1]
        ).tolist()
        assert counts == (right_no, false_yes, false_no, right_yes)


def test_a_loss_that_is_not_a_number_is_the_worst() -> None:
    run = copy.copy(made("diabetes", predict="linear()", stop="epochs(1)"))
    run.network = copy.deepcopy(run.network)
    with torch.no_grad():
        run.network[1].weight.fill_(math.nan)
    assert (
        run.explain.samples(worst=1).ranked[0].loss != run.explain.samples(worst=1).ranked[0].loss
    )


def test_a_regression_has_no_confusion(runs: Runs) -> None:
    with pytest.raises(ArgumentError, match="a regression has no classes"):
        runs("diabetes").explain.confusion()
    assert runs("diabetes").explain.samples().confusion is None
