"""What a call and a term of a loss say of themselves, and that files hold all of it."""

from __future__ import annotations

import json

import pytest

from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.loss_graph import Operation
from sevensteps.observe.stored_look import deserialize_look, serialize_look


@pytest.mark.parametrize(
    ("dim", "counted", "size"), [(1, 1, 3), (-1, 2, 5), (0, 0, 8), (None, None, None), (7, 7, None)]
)
def test_the_axis_is_counted_from_the_front(
    dim: int | None, counted: int | None, size: int | None
) -> None:
    call = Call("softmax", "softmax", shapes={"input": (8, 3, 5)}, options={"dim": dim})
    assert (call.dim, call.size_along_dim) == (counted, size)


def test_shapes_are_broadcast_only_within_losses_that_compare_number_by_number() -> None:
    shapes = {"input": (8, 1), "target": (8,)}
    assert Call("mse_loss", "loss", shapes=shapes).broadcasts
    assert not Call("cross_entropy", "loss", shapes=shapes).broadcasts
    assert not Call("mse_loss", "loss", shapes={"input": (8,), "target": (8,)}).broadcasts
    assert not Call("mse_loss", "loss").broadcasts


def test_a_look_is_saved_with_its_calls_and_terms() -> None:
    call = Call(
        "cross_entropy", "loss", "train.py:41", "G", {"input": (8, 3)}, {"input": "float32"},
        {"weight": [1.0, 2.0], "ignore_index": -100}, {"target.ignored": 0.25}, 3,
    )  # fmt: skip
    term = LossTerm(
        "cross_entropy", 0, 0.5, 1.25, 1, "G", "logits", ("G:logits",), (Operation("Relu"),),
        (Operation("Softmax", 1),), (Operation("Mean"),), "data", 2,
    )  # fmt: skip
    look = Look(4, 1.0, calls=(call,), loss_terms=(term,))
    again = deserialize_look(*serialize_look(look))
    assert again.calls == (call,)
    assert again.loss_terms == (term,)
    assert again.calls[0].ignored == 0.25


def test_looks_of_earlier_versions_have_no_calls() -> None:
    text, content = serialize_look(Look(4, 1.0))
    record = json.loads(text)
    for name in ("calls", "loss_terms"):
        del record[name]
    assert deserialize_look(json.dumps(record), content).calls == ()
