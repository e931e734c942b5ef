"""Questions that readers of the book ask: their numbers against scikit-learn and NumPy."""

from __future__ import annotations

import sevensteps as ss
from tests.explain.why.questions import asked, trained


def test_zeros_before_a_hidden_layer_and_in_a_single_one() -> None:
    hidden = asked(trained("iris", initialize="zeros()", predict="mlp(4)"))["zeros"]
    assert hidden.rank >= 80
    assert (
        "diagnose" in hidden.command
        or "try_remedies" in hidden.command
        or "--initialize" in hidden.command
    )
    single = asked(trained("iris", initialize="zeros()", predict="linear()"))["zeros"]
    assert single.question == "Is it a fault to start from zeros?"
    assert "zeros" not in asked(trained("iris", predict="mlp(4)"))


def test_outputs_below_zero_are_counted() -> None:
    run = trained("digits37", predict="linear()")
    data, found = ss.data.load("digits37"), asked(run)["logit"]
    outputs = run.network(data.valid.x)[:, 0].detach()
    no = data.valid.y[:, 0] == 0
    assert (found.numbers["of"], found.numbers["below"]) == (
        int(no.sum()),
        int((outputs[no] < 0).sum()),
    )
    assert "where the answer is 7" in found.question
    for other in ("digits", "diabetes"):
        assert "logit" not in asked(trained(other))


def test_dead_inputs_are_asked_about_where_there_are_some() -> None:
    found = asked(trained(predict="mlp(12)"))["dead inputs"]
    dead = int((ss.data.load("digits").train.x == 0).all(0).sum())
    assert found.numbers == {"dead": dead, "inputs": 64, "weights": 12 * dead}
    assert "dead inputs" not in asked(trained("iris"))
