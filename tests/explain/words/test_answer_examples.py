"""Examples of the words about answers, against scikit-learn."""

from __future__ import annotations

import math

import numpy
import pytest
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

import sevensteps as ss
from tests.explain.words.conftest import numbers, trained


def outputs(run: ss.Run, data: str) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Targets, probabilities and answers of the validation samples."""
    valid = ss.data.load(data).valid
    scores = run.network(valid.x).detach().double()
    p = scores.softmax(1) if scores.shape[1] > 1 else scores.sigmoid()
    answers = p.argmax(1) if scores.shape[1] > 1 else (p[:, 0] >= 0.5).long()
    return valid.y.flatten().long().numpy(), p.numpy(), answers.numpy()


def test_shares_of_classes_are_those_of_scikit_learn(run: ss.Run) -> None:
    y, p, answers = outputs(run, "digits")
    by_class = precision_score(y, answers, average=None, zero_division=1)
    assert numbers(run, "precision")["precision"] == pytest.approx(by_class.min())
    recalls = recall_score(y, answers, average=None)
    least = numbers(run, "recall")
    assert (least["recall"], least["class"]) == (
        pytest.approx(recalls.min()),
        str(recalls.argmin()),
    )
    assert numbers(run, "F1")["f1"] == pytest.approx(
        f1_score(y, answers, average=None)[int(least["class"])]
    )
    assert numbers(run, "confusion matrix") == {
        "right": int(numpy.trace(confusion_matrix(y, answers))),
        "total": len(y),
    }
    assert numbers(run, "perplexity")["perplexity"] == pytest.approx(
        math.exp(log_loss(y, p)), rel=1e-4
    )
    entropies = -(p * numpy.log(p)).sum(1)
    assert numbers(run, "entropy")["entropy"] == pytest.approx(entropies[0], rel=1e-4)
    assert numbers(run, "entropy")["sample"] == int(entropies.argmax())
    sure = numbers(run, "calibration")
    assert sure["probability"] == pytest.approx(p.max(1).mean(), rel=1e-5)
    assert sure["accuracy"] == pytest.approx((y == answers).mean())
    chance = numbers(run, "chance level")
    assert chance["accuracy"] == pytest.approx(numpy.bincount(y).max() / len(y))


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    run = trained("digits37", stop="max_steps(3)")
    y, p, _ = outputs(run, "digits37")
    assert numbers(run, "roc")["auc"] == pytest.approx(roc_auc_score(y, p[:, 0]))


def test_a_regression_has_no_classes() -> None:
    run = trained("diabetes")
    words = ("precision", "recall", "f1", "auc", "confusion matrix", "entropy", "calibration")
    assert all(entry.lacking for entry in run.explain.words(*words).entries)
    assert run.explain.words("perplexity").entries[0].lacking.endswith("no cross-entropy")
    assert numbers(run, "chance level") == {"r2": 0.0}
