"""The shapes that signatures promise are checked while the tests run."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from sevensteps.head import Output
from sevensteps.task import Task


def test_the_tests_check_shapes() -> None:
    output = Output(Task("regression", 1, (), "given"), 1, "identity", "value", "given")
    assert output.predict(torch.zeros(2, 1)).shape == (2, 1)
    with pytest.raises(TypeCheckError):
        output.predict(torch.zeros(2))
    with pytest.raises(TypeCheckError):
        output.decide(torch.zeros(2, 1, dtype=torch.int64))
