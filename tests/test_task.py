"""What targets ask for, how outputs are read, and how the answers are measured; scikit-learn is the
oracle of the measures.
"""

from __future__ import annotations

import math
from typing import Any

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle
from sklearn.dummy import DummyClassifier, DummyRegressor
from torch import Tensor

from sevensteps.errors import DataError, ShapeError
from sevensteps.head import Output
from sevensteps.metrics import accuracy_by_class, ignorant, metrics
from sevensteps.steps import loss as losses
from sevensteps.task import Task, task_of

REGRESSION = Task("regression", 1, (), "each target is a number")
BINARY = Task("binary", 1, ("no", "yes"), "the targets are two classes, no and yes")
MANY = Task("multiclass", 1, ("a", "b", "c"), "the targets are 3 classes")
LABELS = Task("multilabel", 2, ("x", "y"), "each target has 2 yes/no labels")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def classes(count: int, size: int, seed: int = 0) -> Tensor:
    return torch.randint(count, (size,), generator=torch.Generator().manual_seed(seed))


# -- task_of ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "names", "kind", "columns", "found", "reason"),
    [
        (torch.tensor([[1.5], [2.0]]), (), "regression", 1, (), "each target is a number"),
        (torch.tensor([0.0, 1.0, 0.5]), (), "regression", 1, (), "each target is a number"),
        (torch.tensor([0.0, math.nan]), (), "regression", 1, (), "each target is a number"),
        (torch.zeros(4, 2) + 3, (), "regression", 2, (), "each target is 2 numbers"),
        (torch.tensor([[1, 2], [3, 4]]), (), "regression", 2, (), "each target is 2 numbers"),
        (
            torch.tensor([[0.0], [1.0]]),
            (),
            "binary",
            1,
            ("0", "1"),
            "the targets are two classes, 0 and 1",
        ),
        (
            torch.tensor([0.0, 1.0]),
            ("no", "yes"),
            "binary",
            1,
            ("no", "yes"),
            "the targets are two classes, no and yes",
        ),
        (
            torch.tensor([3, 7, 3]),
            (),
            "binary",
            1,
            ("3", "7"),
            "the targets are two classes, 3 and 7",
        ),
        (
            torch.tensor([True, False]),
            (),
            "binary",
            1,
            ("0", "1"),
            "the targets are two classes, 0 and 1",
        ),
        (
            torch.tensor([0, 1, 2]),
            (),
            "multiclass",
            1,
            ("0", "1", "2"),
            "the targets are 3 classes",
        ),
        (
            torch.tensor([[-1], [5], [2]], dtype=torch.int8),
            (),
            "multiclass",
            1,
            ("-1", "2", "5"),
            "the targets are 3 classes",
        ),
        (
            torch.tensor([0, 1, 1]),
            ("a", "b", "c"),
            "multiclass",
            1,
            ("a", "b", "c"),
            "the targets are 3 classes",
        ),
        (
            torch.tensor([[0.0, 1.0], [1.0, 1.0]]),
            (),
            "multilabel",
            2,
            ("0", "1"),
            "each target has 2 yes/no labels",
        ),
        (
            torch.tensor([[0, 1, 0], [1, 1, 0]]),
            ("p", "q", "r"),
            "multilabel",
            3,
            ("p", "q", "r"),
            "each target has 3 yes/no labels",
        ),
    ],
)
def test_the_task_is_read_off_the_targets(
    target: Tensor,
    names: tuple[str, ...],
    kind: Any,
    columns: int,
    found: tuple[str, ...],
    reason: str,
) -> None:
    assert task_of(target, names) == Task(kind, columns, found, reason)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.tensor(3.0), "targets have shape []; give one row per sample: [N] or [N, columns]"),
        (torch.zeros(0), "targets have shape [0]; give one row per sample: [N] or [N, columns]"),
        (
            torch.zeros(0, 3),
            "targets have shape [0, 3]; give one row per sample: [N] or [N, columns]",
        ),
        (
            torch.zeros(2, 3, 4),
            "targets have shape [2, 3, 4]; give one row per sample: [N] or [N, columns]",
        ),
        (
            torch.zeros(3, 0),
            "targets have shape [3, 0]: no column; give at least one number per sample",
        ),
        (
            torch.ones(5),
            "all targets are 1: one class only; a classifier needs samples of at least two",
        ),
        (
            torch.zeros(5, 1),
            "all targets are 0: one class only; a classifier needs samples of at least two",
        ),
        (
            torch.full((5,), 7),
            "all targets are 7: one class only; a classifier needs samples of at least two",
        ),
    ],
)
def test_targets_with_nothing_to_tell_apart_are_refused(target: Tensor, message: str) -> None:
    with pytest.raises(DataError) as refused:
        task_of(target)
    assert str(refused.value) == message


@given(labels=st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_whole_numbers_are_classes(labels: list[int]) -> None:
    names = tuple(str(label) for label in sorted(set(labels)))
    if len(names) == 1:
        with pytest.raises(DataError, match="one class only"):
            task_of(torch.tensor(labels))
    else:
        task = task_of(torch.tensor(labels))
        assert (task.kind, task.classes) == ("binary" if len(names) == 2 else "multiclass", names)


# -- encode, predict, decide, prior ----------------------------------------------------------------

INDEX = Output(MANY, 3, "softmax", "index", "given")
INDEX_OF_TWO = Output(BINARY, 2, "softmax", "index", "given")
ONE_HOT = Output(MANY, 3, "sigmoid", "one_hot", "given")
SCORE = Output(BINARY, 1, "sigmoid", "value", "given")
HALF = Output(BINARY, 1, "identity", "value", "given", threshold=0.5)
MARGIN = Output(BINARY, 1, "identity", "value", "given")
LABELLED = Output(LABELS, 2, "sigmoid", "value", "given")
NUMBER = Output(REGRESSION, 1, "identity", "value", "given")
LOG = Output(MANY, 3, "exp", "index", "given", layer="log_softmax")


def test_targets_are_coded_as_the_loss_takes_them() -> None:
    yes_no, many = torch.tensor([[0.0], [1.0], [1.0]]), torch.tensor([2, 0, 1])
    assert torch.equal(INDEX.encode(many), many)
    assert torch.equal(INDEX_OF_TWO.encode(yes_no), torch.tensor([0, 1, 1]))
    assert torch.equal(
        ONE_HOT.encode(many), torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    )
    assert SCORE.encode(yes_no) is yes_no
    for output, target, dtype in (
        (INDEX_OF_TWO, yes_no, torch.int64),
        (ONE_HOT, many, torch.float32),
        (SCORE, yes_no, torch.float32),
    ):
        assert output.encode(target).dtype == dtype


def test_outputs_become_predictions_through_their_link() -> None:
    outputs = drawn(5, 3)
    assert torch.equal(INDEX.predict(outputs), outputs.softmax(1))
    assert torch.equal(ONE_HOT.predict(outputs), outputs.sigmoid())
    assert torch.allclose(LOG.predict(outputs.log_softmax(1)), outputs.softmax(1))
    assert torch.equal(NUMBER.predict(outputs[:, :1]), outputs[:, :1])


@pytest.mark.parametrize(
    ("output", "outputs", "answers"),
    [
        (SCORE, [[-0.1], [0.0], [0.1]], [0, 0, 1]),
        (MARGIN, [[-2.0], [0.0], [0.3]], [0, 0, 1]),
        (HALF, [[0.4], [0.5], [0.6]], [0, 0, 1]),
        (INDEX, [[0.0, 2.0, 1.0], [3.0, -1.0, 1.0]], [1, 0]),
        (INDEX_OF_TWO, [[-2.0, -1.0], [3.0, -1.0]], [1, 0]),
        (ONE_HOT, [[-3.0, -2.0, -1.0]], [2]),
        (LABELLED, [[-1.0, 1.0], [2.0, 0.0]], [[0, 1], [1, 0]]),
    ],
)
def test_outputs_are_read_as_answers(
    output: Output, outputs: list[list[float]], answers: Any
) -> None:
    assert output.decide(torch.tensor(outputs)).tolist() == answers


@given(counts=st.lists(st.integers(1, 20), min_size=3, max_size=3))
def test_the_prior_of_classes_answers_with_their_shares(counts: list[int]) -> None:
    target = torch.arange(3).repeat_interleave(torch.tensor(counts))
    shares = torch.tensor(counts) / sum(counts)
    for output in (INDEX, LOG, ONE_HOT):
        prior = output.prior(target)
        assert prior.shape == (3,)
        assert torch.allclose(output.predict(prior[None])[0], shares, atol=1e-6)


@given(yes=st.integers(1, 30), no=st.integers(1, 30))
def test_the_prior_of_yes_and_no_answers_with_the_share_of_yes(yes: int, no: int) -> None:
    target = torch.cat([torch.ones(yes, 1), torch.zeros(no, 1)])
    share = yes / (yes + no)
    assert float(SCORE.prior(target).sigmoid()) == pytest.approx(share, rel=1e-5)
    assert float(HALF.prior(target)) == pytest.approx(share, rel=1e-5)
    assert float(MARGIN.prior(target)) == pytest.approx(2 * share - 1, abs=1e-6)
    assert INDEX_OF_TWO.prior(target).softmax(0).tolist() == pytest.approx(
        [1 - share, share], rel=1e-5
    )


def test_the_prior_of_a_regression_is_the_mean_target() -> None:
    target = drawn(50, 2)
    assert torch.equal(
        Output(REGRESSION, 2, "identity", "value", "given").prior(target), target.mean(0)
    )


def test_the_prior_stays_finite_where_a_class_is_never_or_always_met() -> None:
    assert INDEX.prior(torch.tensor([0, 0, 1, 1])).tolist() == pytest.approx(
        [math.log(0.5), math.log(0.5), math.log(0.125)]
    )
    never, always = LABELLED.prior(torch.tensor([[0.0, 1.0]] * 4)).sigmoid().tolist()
    assert (never, always) == (pytest.approx(0.125), pytest.approx(0.875))


@pytest.mark.parametrize(
    "loss",
    [
        losses.mean_squared_error(),
        losses.binary_cross_entropy(),
        losses.hinge(),
        losses.mnist_loss(),
    ],
)
@pytest.mark.parametrize("shares", [(0.1, 0.2, 0.7), (0.6, 0.3, 0.1)])
def test_the_prior_decides_for_the_commonest_class(
    loss: losses.Loss, shares: tuple[float, ...]
) -> None:
    target = torch.arange(3).repeat_interleave((torch.tensor(shares) * 100).round().long())
    output = loss.output(MANY)
    assert int(output.decide(output.prior(target)[None])) == shares.index(max(shares))


# -- metrics ---------------------------------------------------------------------------------------


@given(size=st.integers(1, 40), seed=st.integers(0, 99))
def test_accuracy_is_scikit_learn_s(size: int, seed: int) -> None:
    outputs, many, yes = drawn(size, 3, seed=seed), classes(3, size, seed), classes(2, size, seed)
    assert metrics(INDEX, outputs, many) == {
        "accuracy": pytest.approx(oracle.accuracy_score(many, outputs.argmax(1)))
    }
    scores = outputs[:, :1]
    assert metrics(SCORE, scores, yes[:, None].float()) == {
        "accuracy": pytest.approx(oracle.accuracy_score(yes, scores[:, 0] > 0))
    }
    assert metrics(INDEX_OF_TWO, outputs[:, :2], yes[:, None].float()) == {
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
        assert ignorant(task, target) == pytest.approx(dummy.score(nothing, target.reshape(-1)))
    labels = classes(2, 2 * size, seed).view(size, 2).float()
    share = [
        DummyClassifier(strategy="most_frequent").fit(nothing, column).score(nothing, column)
        for column in labels.T
    ]
    assert ignorant(LABELS, labels) == pytest.approx(sum(share) / 2)
    numbers = drawn(size, 1, seed=seed)
    assert ignorant(REGRESSION, numbers) == pytest.approx(
        DummyRegressor().fit(nothing, numbers).score(nothing, numbers), abs=1e-6
    )


@given(size=st.integers(1, 40), seed=st.integers(0, 99))
def test_accuracy_of_labels_is_the_share_of_right_labels(size: int, seed: int) -> None:
    outputs, target = drawn(size, 2, seed=seed), (drawn(size, 2, seed=seed + 100) > 0).float()
    found = metrics(LABELLED, outputs, target)["accuracy"]
    assert found == pytest.approx(
        1 - oracle.hamming_loss(target.int().numpy(), (outputs > 0).int().numpy())
    )


@given(size=st.integers(2, 40), columns=st.integers(1, 3), seed=st.integers(0, 99))
def test_r2_is_scikit_learn_s(size: int, columns: int, seed: int) -> None:
    target = drawn(size, columns, seed=seed)
    outputs = target + 0.5 * drawn(size, columns, seed=seed + 100)
    output = Output(Task("regression", columns, (), "given"), columns, "identity", "value", "given")
    wanted = oracle.r2_score(target.double(), outputs.double(), multioutput="variance_weighted")
    assert metrics(output, outputs, target) == {"r2": pytest.approx(wanted, abs=1e-4)}


def test_r2_of_the_right_answer_of_the_mean_and_of_constant_targets() -> None:
    target = torch.tensor([[1.0], [2.0], [6.0]])
    assert metrics(NUMBER, target, target) == {"r2": 1.0}
    assert metrics(NUMBER, torch.full((3, 1), 3.0), target) == {"r2": 0.0}
    assert math.isnan(metrics(NUMBER, target, torch.ones(3, 1))["r2"])


def test_a_measure_of_unequal_counts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        jaxtyping.config, "jaxtyping_disable", True
    )  # as for users: the types say the same, to programmers
    with pytest.raises(
        ShapeError, match=r"^3 outputs against 4 targets; evaluate them on the same samples$"
    ):
        metrics(NUMBER, torch.zeros(3, 1), torch.zeros(4, 1))


@given(size=st.integers(1, 40), seed=st.integers(0, 99))
def test_accuracy_by_class_is_scikit_learn_s_recall(size: int, seed: int) -> None:
    outputs, target = drawn(size, 3, seed=seed), classes(3, size, seed)
    met = sorted(set(target.tolist()))
    wanted = oracle.recall_score(
        target, outputs.argmax(1), labels=met, average=None, zero_division=0.0
    )
    by_class = {MANY.classes[label]: held for label, held in zip(met, wanted, strict=True)}
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
    assert metrics(INDEX, outputs, target)["accuracy"] == pytest.approx(whole)
