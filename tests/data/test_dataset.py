"""The digest of data changes with any number that it reads, and facts are those counted by hand."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from sevensteps.data import Data, Part, load
from sevensteps.data.scaling import identity_scaling
from sevensteps.errors import DataError
from sevensteps.task import Task

TASK = Task("regression", 1, (), "numbers")


def small(x: torch.Tensor | None = None, y: torch.Tensor | None = None) -> Data:
    train = Part(torch.arange(12.0).view(6, 2) if x is None else x, torch.zeros(6, 1))
    valid = Part(torch.tensor([[0.0, 1], [7, 7]]), torch.ones(2, 1) if y is None else y)
    return Data("small", train, valid, TASK, identity_scaling(), ("a", "b"))


def test_the_same_numbers_have_the_same_digest() -> None:
    assert small().digest == small().digest
    assert dataclasses.replace(small(), source="other", about="other").digest == small().digest


def test_data_show_themselves_in_a_line() -> None:
    data = load("digits")
    assert repr(data) == (
        "<Data digits: 1,438 training and 359 validation samples, inputs 1 × 8 × 8, multiclass>"
    )
    assert repr(data.valid) == "<Part: x (359, 1, 8, 8), y (359,)>"


def test_any_other_number_and_another_order_have_another_digest() -> None:
    x, y = small().train.x.clone(), torch.ones(2, 1)  # type: ignore[union-attr]
    digests = {small().digest, small(x.flip(0)).digest}
    x[3, 1] = torch.nextafter(x[3, 1], torch.tensor(1e9))
    y[1] = 2
    digests |= {small(x).digest, small(y=y).digest}
    assert len(digests) == 4


def test_a_validation_sample_that_was_trained_on_is_counted() -> None:
    data = small()
    assert data.duplicates == 1  # [0, 1] is the first training sample
    facts = data.facts()
    assert (facts["duplicates"], facts["shape"], facts["inputs"]) == (1, [2], 2)
    assert (facts["features"], facts["constant_inputs"]) == (["a", "b"], 0)


def test_data_are_checked_when_they_are_put_together() -> None:
    with pytest.raises(DataError, match="small"):
        small(torch.full((6, 2), torch.nan))


def test_the_inputs_are_those_of_the_data() -> None:
    inputs = small().inputs
    assert (inputs.shape, inputs.kind, inputs.features) == ((2,), "table", ("a", "b"))
