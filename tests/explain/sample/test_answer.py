"""One sample explained: every loss's formula against PyTorch's own, what is read off the output,
the ranking and the confusion.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_iris

from sevensteps.errors import ArgumentError
from sevensteps.render.image import shaded_image
from tests.explain.conftest import MADE, Runs

# -- runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MADE)
def test_the_numbers_are_the_network_s(runs: Runs, name: str) -> None:
    run = runs(name)
    x, y = (held[3:4] for held in run.explain.subject.part("valid"))
    network = copy.deepcopy(run.network).double().eval()
    o = network(x.double()).detach().requires_grad_()
    target = y.double() if y.is_floating_point() else y
    loss = run.recipe.loss.value(o, target)[0]
    found = run.explain.sample(3)
    assert found.dtype == "float64"
    assert found.outputs == pytest.approx(o[0].tolist(), rel=1e-12, abs=1e-14)
    assert found.loss == pytest.approx(float(loss.detach()), rel=1e-12, abs=1e-14)
    assert found.slopes == pytest.approx(
        torch.autograd.grad(loss, o)[0][0].tolist(), rel=1e-12, abs=1e-14
    )
    assert [layer.name for layer in found.layers] == [key for key, _ in network.named_children()]
    assert found.layers[-1].values == pytest.approx(o[0].tolist(), rel=1e-12, abs=1e-14)
    answer = run.predict(run.inputs.scaling.undo(x)).answers[0]
    assert found.answer == (
        pytest.approx(answer, rel=1e-4) if run.output.task.kind == "regression" else answer
    )
    json.dumps(found.to_dict())
    assert all(len(line) <= 80 for line in found.text().splitlines())
    assert len(found.text().splitlines()) <= 45


def test_the_book_s_table(runs: Runs) -> None:
    found = runs("digits").explain.sample(3)
    target = runs("digits").explain.subject.data.valid.y[3]
    p = torch.tensor(found.outputs, dtype=torch.float64).softmax(0)
    assert [row.index for row in found.rows] == list(range(10))
    assert [row.probability for row in found.rows] == pytest.approx(p.tolist())
    assert [row.target for row in found.rows] == [float(i == int(target)) for i in range(10)]
    # read from the right column only
    losses = [row.loss for row in found.rows if row.loss is not None]
    assert losses == pytest.approx([found.loss])
    assert found.rows[int(target)].loss == pytest.approx(-math.log(p[int(target)]))
    assert [row.slope for row in found.rows] == pytest.approx(
        (p - F.one_hot(target.long(), 10)).tolist()
    )
    assert "p - one-hot" in found.text().replace("\n  ", " ")


def test_the_output_is_a_log_odds(runs: Runs) -> None:
    found = runs("digits37").explain.sample(0)
    o, (no, yes) = found.outputs[0], found.rows
    assert math.log(yes.probability / no.probability) == pytest.approx(o)
    assert yes.probability + no.probability == pytest.approx(1)
    said = " ".join(found.text().split())
    assert "The output is a log-odds, log(p / (1 - p))" in said
    assert (
        "0 is probability .5, above it the answer is 3 (target 1), below it 7 (target 0)." in said
    )
    assert (o > 0) == (found.answer == "3")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("digits", "(argmax)"),
        ("hinge", "The sign is the answer"),
        ("scores", "threshold 0.5"),
        ("labels", "above 0 (p above .5)"),
        ("speed", "in the units of the target"),
        ("diabetes", "output × scale + offset"),
        ("mnist_loss", "p (1 - p) is .25 at most"),
        ("one_hot", "(argmax)"),
        ("perceptron", "threshold 0.5"),
    ],
)
def test_the_answer_says_why(runs: Runs, name: str, why: str) -> None:
    assert why in " ".join(runs(name).explain.sample(1).why)


def test_a_regression_is_told_in_raw_units(runs: Runs) -> None:
    run = runs("diabetes")
    found, scaling = run.explain.sample(4), run.inputs.target_scaling
    assert found.answer == pytest.approx(
        found.outputs[0] * float(scaling.scale) + float(scaling.offset), rel=1e-6
    )
    assert 20 < found.truth < 350
    assert found.input.names[:3] == ("age", "sex", "bmi")
    assert found.input.raw[1] in (1, 2)  # sex as it is in the table, not standardised


def test_a_row_of_a_table_is_shown_raw(runs: Runs) -> None:
    found = runs("iris").explain.sample(3, part="train")
    assert found.input.names == tuple(load_iris().feature_names)
    distance = np.abs(load_iris().data - np.array(found.input.raw)).max(1)
    assert distance.min() < 1e-5
    assert "petal width (cm)" in found.text()


def test_shades() -> None:
    assert shaded_image(torch.zeros(8, 8), 16) == [" " * 16] * 8
    lines = shaded_image(torch.ones(1, 28, 28) * 255, 255)
    assert lines == ["█" * 28] * 14
    assert (
        max(
            map(
                len,
                shaded_image(torch.rand(3, 100, 90, generator=torch.Generator().manual_seed(0))),
            )
        )
        == 28
    )
    assert shaded_image(torch.tensor([[0.0, 8.0, 16.0]]), 16) == ["  ▒▒██"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda e: e.sample(359), "there is no sample 359 in valid; it has 359, counted from 0"),
        (
            lambda e: e.sample(0, part="test"),
            "there is no part 'test'; the data have train and valid",
        ),
        (
            lambda e: e.samples(worst=3, best=2),
            "worst and best are two questions; ask for one of them",
        ),
        (lambda e: e.samples(worst=0), "worst must be at least 1, not 0"),
    ],
)
def test_bad_input_is_one_line(runs: Runs, asked: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        asked(runs("digits").explain)
