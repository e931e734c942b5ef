"""Which metric judges a network and which value is better; scikit-learn is the oracle of both."""

from __future__ import annotations

import math

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle
from sklearn.dummy import DummyClassifier, DummyRegressor
from torch import Tensor

from sevensteps.errors import ShapeError
from sevensteps.head import Output
from sevensteps.metrics import (
    LOWER_IS_BETTER,
    accuracy_by_class,
    baseline,
    better,
    compute_metrics,
    merit,
    metric_of,
    primary,
    score,
)
from sevensteps.task import Task
from tests.helpers.heads import (
    BINARY,
    INDEX,
    INDEX_OF_TWO,
    LABELLED,
    LABELS,
    MANY,
    NUMBER,
    REGRESSION,
    SCORE,
    drawn,
)


def classes(count: int, size: int, seed: int = 0) -> Tensor:
    return torch.randint(count, (size,), generator=torch.Generator().manual_seed(seed))


# -- which metric, and what is better --------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["loss", "accuracy"], "accuracy"),
        (["loss", "r2"], "r2"),
        (["loss"], "loss"),
        (["loss", "accuracy", "by_class"], "accuracy"),
    ],
)
def test_a_network_is_judged_by_its_task_s_metric(names: list[str], name: str) -> None:
    assert primary(dict.fromkeys(names, 0.5)) == name


def test_every_task_has_a_metric_beside_the_loss() -> None:
    assert metric_of("regression") == "r2"
    for kind in ("binary", "multiclass", "multilabel"):
        assert metric_of(kind) == "accuracy"


def test_merit_grows_with_what_is_better() -> None:
    assert merit("loss", 1.0) > merit("loss", 2.0) > merit("loss", math.nan)
    for name in ("accuracy", "r2"):
        assert merit(name, 0.9) > merit(name, 0.8) > merit(name, math.nan)
    assert set(LOWER_IS_BETTER) == {"loss", "accuracy", "r2"}


def test_what_makes_one_network_better_than_another() -> None:
    ranked: list[dict[str, float]] = [
        {"accuracy": 0.9, "loss": 0.2},
        {"accuracy": 0.9, "loss": 0.3},
        {"accuracy": 0.8, "loss": 0.1},
        {"accuracy": 0.8, "loss": math.nan},
        {"accuracy": math.nan, "loss": 0.1},
    ]
    assert sorted(ranked, key=score, reverse=True) == ranked
    assert (
        score({"r2": 0.5, "loss": 3.0})
        > score({"r2": -1.0, "loss": 2.0})
        > score({"r2": math.nan, "loss": 1.0})
    )
    assert score({"loss": 1.0}) > score({"loss": 2.0}) > score({"loss": math.inf})
    assert better(ranked[0], ranked[1])
    assert not better(ranked[0], ranked[0])  # the first of equals stays the best


# -- what is computed ------------------------------------------------------------------------------


@given(size=st.integers(1, 40), seed=st.integers(0, 99))
def test_accuracy_is_scikit_learn_s(size: int, seed: int) -> None:
    outputs, many, yes = drawn(size, 3, seed=seed), classes(3, size, seed), classes(2, size, seed)
    assert compute_metrics(INDEX, outputs, many) == {
        "accuracy": pytest.approx(oracle.accuracy_score(many, outputs.argmax(1)))
    }
    scores = outputs[:, :1]
    assert compute_metrics(SCORE, scores, yes[:, None].float()) == {
        "accuracy": pytest.approx(oracle.accuracy_score(yes, scores[:, 0] > 0))
    }
    assert compute_metrics(INDEX_OF_TWO, outputs[:, :2], yes[:, None].float()) == {
        "accuracy": pytest.approx(oracle.accuracy_score(yes, outputs[:, :2].argmax(1)))
    }


@given(size=st.integers(2, 40), seed=st.integers(0, 99))
def test_the_ignorant_answer_is_that_of_scikit_learn_s_dummies(size: int, seed: int) -> None:
    nothing = torch.zeros(size, 1)
    for task, target in (
        (MANY, classes(3, size, seed)),
        (BINARY, classes(2, size, seed)[:, None].float()),
    ):
        dummy = DummyClassifier(strategy="most_frequent").fit(nothing, target.reshape(-1))
        assert baseline(task.kind, target) == pytest.approx(
            dummy.score(nothing, target.reshape(-1))
        )
    labels = classes(2, 2 * size, seed).view(size, 2).float()
    share = [
        DummyClassifier(strategy="most_frequent").fit(nothing, column).score(nothing, column)
        for column in labels.T
    ]
    assert baseline(LABELS.kind, labels) == pytest.approx(sum(share) / 2)
    numbers = drawn(size, 1, seed=seed)
    assert baseline(REGRESSION.kind, numbers) == pytest.approx(
        DummyRegressor().fit(nothing, numbers).score(nothing, numbers), abs=1e-6
    )


@given(size=st.integers(1, 40), seed=st.integers(0, 99))
def test_accuracy_of_labels_is_the_share_of_right_labels(size: int, seed: int) -> None:
    outputs, target = drawn(size, 2, seed=seed), (drawn(size, 2, seed=seed + 100) > 0).float()
    right = compute_metrics(LABELLED, outputs, target)["accuracy"]
    assert right == pytest.approx(
        1 - oracle.hamming_loss(target.int().numpy(), (outputs > 0).int().numpy())
    )


@given(size=st.integers(2, 40), columns=st.integers(1, 3), seed=st.integers(0, 99))
def test_r2_is_scikit_learn_s(size: int, columns: int, seed: int) -> None:
    target = drawn(size, columns, seed=seed)
    outputs = target + 0.5 * drawn(size, columns, seed=seed + 100)
    output = Output(Task("regression", columns, (), "given"), columns, "identity", "value", "given")
    wanted = oracle.r2_score(target.double(), outputs.double(), multioutput="variance_weighted")
    assert compute_metrics(output, outputs, target) == {"r2": pytest.approx(wanted, abs=1e-4)}


def test_r2_of_the_right_answer_of_the_mean_and_of_constant_targets() -> None:
    target = torch.tensor([[1.0], [2.0], [6.0]])
    assert compute_metrics(NUMBER, target, target) == {"r2": 1.0}
    assert compute_metrics(NUMBER, torch.full((3, 1), 3.0), target) == {"r2": 0.0}
    assert math.isnan(compute_metrics(NUMBER, target, torch.ones(3, 1))["r2"])


def test_a_measure_of_unequal_counts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # as for users: the types say the same, to programmers
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(
        ShapeError, match=r"^3 outputs against 4 targets; evaluate them on the same samples$"
    ):
        compute_metrics(NUMBER, torch.zeros(3, 1), torch.zeros(4, 1))


@given(size=st.integers(1, 40), seed=st.integers(0, 99))
def test_accuracy_by_class_is_scikit_learn_s_recall(size: int, seed: int) -> None:
    outputs, target = drawn(size, 3, seed=seed), classes(3, size, seed)
    met = sorted(set(target.tolist()))
    wanted = oracle.recall_score(
        target, outputs.argmax(1), labels=met, average=None, zero_division=0.0
    )
    by_class = {MANY.classes[label]: recall for label, recall in zip(met, wanted, strict=True)}
    assert accuracy_by_class(INDEX, outputs, target) == pytest.approx(by_class)


def test_accuracy_by_class_of_yes_and_no_and_of_what_has_no_classes() -> None:
    outputs, target = (
        torch.tensor([[1.0], [-1.0], [2.0], [-3.0]]),
        torch.tensor([[1.0], [1.0], [0.0], [0.0]]),
    )
    assert accuracy_by_class(SCORE, outputs, target) == {"no": 0.5, "yes": 0.5}
    assert accuracy_by_class(SCORE, outputs[:1], target[:1]) == {"yes": 1.0}
    assert accuracy_by_class(NUMBER, outputs, target) == {}
    assert accuracy_by_class(LABELLED, torch.zeros(2, 2), torch.zeros(2, 2)) == {}


def test_accuracy_by_class_weighs_to_the_whole() -> None:
    outputs, target = drawn(60, 3), classes(3, 60)
    by_class = accuracy_by_class(INDEX, outputs, target)
    counts = torch.bincount(target, minlength=3).tolist()
    whole = (
        sum(by_class[name] * count for name, count in zip(MANY.classes, counts, strict=True)) / 60
    )
    assert compute_metrics(INDEX, outputs, target)["accuracy"] == pytest.approx(whole)
