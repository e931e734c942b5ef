"""Which class is taken for which, against scikit-learn's confusion matrix."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import confusion_matrix

from sevensteps.errors import ArgumentError
from tests.explain.conftest import Runs


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


def test_a_regression_has_no_confusion(runs: Runs) -> None:
    with pytest.raises(ArgumentError, match="a regression has no classes"):
        runs("diabetes").explain.confusion()
    assert runs("diabetes").explain.samples().confusion is None
