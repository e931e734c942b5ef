"""Notes of a gradient: where a path ends, does not begin, or gets weak."""

from __future__ import annotations

import copy
from typing import Any

import torch

import sevensteps as ss
from sevensteps.explain.gradient.answer import Gradient
from tests.explain.conftest import Runs, made


def notes(run: ss.Run, *asked: Any, **more: Any) -> str:
    found = run.explain.gradient(*asked, **more)
    assert isinstance(found, Gradient)
    return " ".join(found.notes)


def test_where_a_path_does_not_begin(runs: Runs) -> None:
    run = runs("digits")
    zero = int((run.explain.subject.part("valid")[0][3].flatten() == 0).nonzero()[0, 0])
    assert "The path does not begin: what the parameter multiplies is 0" in notes(
        run, 3, "layer1.weight", (0, zero)
    )


def test_where_a_unit_is_off(runs: Runs) -> None:
    run = runs("digits")
    x = run.explain.subject.part("valid")[0]
    hidden = run.network[:2](x[3:4])[0].detach()
    unit, lit = int(hidden.argmin()), int(x[3].argmax())
    assert float(hidden[unit]) < 0
    found = run.explain.gradient(3, "layer1.weight", (unit, lit))
    assert found.chain_rule == found.autograd == 0
    assert f"The path ends here: activation1[{unit}] is off" in found.notes[0]


def test_where_the_loss_is_flat(runs: Runs) -> None:
    run = runs("hinge")
    right = run.explain.samples(best=1).ranked[0]
    assert right.loss == 0
    hidden = run.network[:3](run.explain.subject.part("valid")[0][right.index : right.index + 1])[
        0
    ].detach()
    assert "The loss is flat here" in notes(
        run, right.index, "output.weight", (0, int(hidden.argmax()))
    )


def test_a_relu_at_exactly_0() -> None:
    data = ss.data.from_arrays(
        [[1.0], [2.0]], [1.0, 0.25], valid=None, scale="none", target_scale="none"
    )
    run = made(data, predict="mlp(1)", initialize="zeros()", stop="epochs(0)")
    assert "activation1[0] is exactly 0, where ReLU has no derivative" in notes(
        run, 0, "layer1.weight", (0, 0), part="train"
    )


def test_sigmoids_and_modes(runs: Runs) -> None:
    said = notes(runs("iris"), 3, "layer1.weight")
    assert "2 sigmoid factors, at most .25 each, 0.0625 together" in said
    assert "dropout leaves nothing out and batch norm has its running statistics" in notes(
        runs("cnn"), 3, "layer1.bias"
    )


def test_a_saturated_sigmoid(runs: Runs) -> None:
    run = copy.copy(runs("iris"))
    run.network = copy.deepcopy(run.network)
    with torch.no_grad():
        run.network[1].bias += 6  # sigmoid(6) (1 - sigmoid(6)) = .0025
    assert "Saturated on this path: activation1" in notes(run, 3, "layer1.weight")
