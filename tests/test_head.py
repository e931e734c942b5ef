"""How a head codes targets and reads outputs, and the output that knows nothing but the shares."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sevensteps.head import Output
from sevensteps.steps import loss as losses
from tests.helpers.heads import (
    HALF,
    INDEX,
    INDEX_OF_TWO,
    LABELLED,
    LOG,
    MANY,
    MARGIN,
    NUMBER,
    ONE_HOT,
    REGRESSION,
    SCORE,
    drawn,
)

TWO_NUMBERS = Output(REGRESSION, 2, "identity", "value", "given")
LABEL_NAMES = ([("x", "y"), ()], [("y",), ("x",)])  # answers, and what is right


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


@pytest.mark.parametrize(
    ("output", "outputs", "target", "answers", "truths"),
    [
        (SCORE, [[-1.0], [2.0]], [[1.0], [1.0]], ["no", "yes"], ["yes", "yes"]),
        (INDEX_OF_TWO, [[1.0, 2.0]], [[0.0]], ["yes"], ["no"]),
        (INDEX, [[0.0, 2.0, 1.0], [3.0, -1.0, 1.0]], [2, 0], ["b", "a"], ["c", "a"]),
        (LABELLED, [[1.0, 1.0], [-1.0, -2.0]], [[0.0, 1.0], [1.0, 0.0]], *LABEL_NAMES),
        (NUMBER, [[1.5]], [[-2.0]], [3.0], [-4.0]),
        (TWO_NUMBERS, [[1.0, 2.0]], [[0.5, 0.0]], [(2.0, 4.0)], [(1.0, 0.0)]),
    ],
)
def test_outputs_and_targets_are_decoded_alike(
    output: Output,
    outputs: list[list[float]],
    target: list[Any],
    answers: list[Any],
    truths: list[Any],
) -> None:
    def double(values: Tensor) -> Tensor:
        return 2 * values

    assert output.decode(torch.tensor(outputs), double) == answers
    assert output.decode_target(torch.tensor(target), double) == truths


def test_predictions_without_a_scale_are_in_raw_units_already() -> None:
    assert NUMBER.decode(torch.tensor([[1.5]])) == [1.5]
    assert NUMBER.decode_target(torch.tensor([[-2.0]])) == [-2.0]


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
