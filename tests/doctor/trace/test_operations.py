"""The operation that numbers come from which are not finite, whatever came of them since."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sevensteps.doctor.trace.operations import Derivation, OperationListener, Origin


def origin(compute: object, *inputs: Tensor) -> Origin | None:
    listener = OperationListener()
    with listener:
        result = compute(*inputs)  # type: ignore[operator]
    found: Origin | None = listener.origin(result)
    return found


def name(found: Origin | None) -> str:
    return "" if found is None else found.operation


def test_the_first_one_is_told_not_what_follows() -> None:
    x = torch.tensor([1.0, 0.0, 2.0])
    found = origin(lambda x: (x.log() * 0 + 1).sum().exp(), x)
    assert name(found) == "log"
    assert found is not None
    assert found.index == (1,)


def test_what_is_thrown_away_is_not_told() -> None:
    x = torch.tensor([1.0, 0.0])
    assert origin(lambda x: torch.where(x > 0, x.log(), 0.0 * x), x) is None
    assert origin(lambda x: x.log().nan_to_num(), x) is None


def test_infinity_on_purpose_is_not_told_until_it_becomes_nan() -> None:
    x, mask = torch.zeros(2, 3), torch.tensor([[True, False, False], [True, True, True]])
    assert origin(lambda x: x.masked_fill(mask[:1], -math.inf).softmax(1), x) is None
    assert name(origin(lambda x: x.masked_fill(mask, -math.inf).softmax(1), x)) == "softmax"
    assert origin(lambda x: x.masked_fill(mask, -math.inf), x) is None
    given = torch.full((2, 3), -math.inf)
    assert origin(lambda x: x + given, x) is None
    assert name(origin(lambda x: x * given, x)) == "product"


def test_changes_in_place_have_what_they_were_given() -> None:
    x = torch.tensor([100.0, 1.0])
    found = origin(lambda x: x.exp_(), x.clone())
    assert name(found) == "exp"
    assert found is not None
    assert found.tensors[0].tolist() == [100.0, 1.0]


def test_its_line_is_that_of_the_training() -> None:
    found = origin(lambda x: x / 0, torch.ones(2))
    assert found is not None
    assert found.where.startswith("test_operations.py:")


def test_a_history_is_told_from_the_last_operation() -> None:
    first = Derivation("pow")
    made = Derivation("sqrt", (None, Derivation("sum", (first,))))
    assert made.chain() == ["sqrt", "sum", "pow"]
