"""One sample explained: every loss's formula against PyTorch's own, what is read off the output,
the ranking and the confusion.
"""

from __future__ import annotations

import ast
import copy
import json
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_iris
from sklearn.metrics import confusion_matrix
from torch import Tensor

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.explain.loss_terms import loss_terms
from sevensteps.render.image import shaded_image
from sevensteps.steps import loss as losses
from tests.engine.test_agreement import HEADS, spread
from tests.explain.conftest import MADE, made

Runs = Callable[[str], ss.Run]

TORCH: dict[
    str, Callable[[Tensor, Tensor], Tensor]
] = {  # the loss of one sample, by PyTorch or by the book's line
    "mean_squared_error": F.mse_loss,
    "mean_absolute_error": F.l1_loss,
    "huber": lambda o, t: F.huber_loss(o, t, delta=0.7),
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy,
    "negative_log_likelihood": F.nll_loss,
    "mnist_loss": lambda o, t: torch.where(t == 1, 1 - o.sigmoid(), o.sigmoid()).mean(),
    "hinge": lambda o, t: (1 - (2 * t - 1) * o).clamp_min(0).mean(),
}


@pytest.mark.parametrize("name", HEADS)
def test_the_terms_of_every_loss_are_its_value(name: str) -> None:
    loss, outputs, y = HEADS[name]
    output = spread(6, outputs)
    output = output.log_softmax(-1) if isinstance(loss, losses.negative_log_likelihood) else output
    kind = type(loss).__name__
    for o, t in zip(output, y, strict=True):
        found = loss_terms(loss, o, t)
        expected = TORCH[kind](o, t)
        assert sum(term.value for term in found) / len(found) == pytest.approx(
            float(expected), rel=1e-12
        )
        assert len(found) == (1 if t.ndim == 0 else outputs)
        assert all(
            evaluated(term.formula) == pytest.approx(term.value, rel=2e-3, abs=2e-4)
            for term in found
        )


def evaluated(formula: str) -> float:
    """The number that the last part of a formula comes to, as a reader would work it out."""
    last = formula.rsplit("= ", 1)[-1]
    last = re.sub(
        r"\|([^|]+)\|",
        r"abs(\1)",
        last.replace("²", "**2").replace("½", "0.5*").replace("max", "MAX"),
    )
    last = re.sub(r"log ([\d.e+-]+)", r"LOG(\1)", last).replace("MAX", "max").replace("LOG", "log")
    last = re.sub(r"(\d)(\(|abs)", r"\1*\2", last)
    binary = {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Pow: operator.pow,
    }
    calls = {"abs": abs, "max": max, "log": math.log}

    def value(node: Any) -> float:
        if isinstance(node, ast.Constant):
            return float(node.value)
        if isinstance(node, ast.UnaryOp):
            return -value(node.operand)
        if isinstance(node, ast.BinOp):
            return float(binary[type(node.op)](value(node.left), value(node.right)))
        assert isinstance(node, ast.Call), ast.dump(node)
        return float(calls[node.func.id](*map(value, node.args)))

    return value(ast.parse(last, mode="eval").body)


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
    assert [row.loss for row in found.rows if row.loss is not None] == [
        found.loss
    ]  # read from the right column only
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


# -- worst, best, confusion ------------------------------------------------------------------------


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("part", ["train", "valid"])
def test_the_ranking(runs: Runs, name: str, part: str) -> None:
    run = runs(name)
    x, y = run.explain.subject.part(part)
    with torch.no_grad():
        expected = run.recipe.loss.value(
            run.network(x).double(), y.double() if y.is_floating_point() else y
        )
    worst = run.explain.samples(worst=4, part=part)
    best = run.explain.samples(best=4, part=part)
    assert [row.loss for row in worst.ranked] == pytest.approx(
        expected.sort(descending=True).values[:4].tolist(), rel=1e-5, abs=1e-7
    )
    assert [row.loss for row in best.ranked] == pytest.approx(
        expected.sort().values[:4].tolist(), rel=1e-5, abs=1e-7
    )
    assert worst.mean == pytest.approx(float(expected.mean()), rel=1e-5)
    assert worst.total == len(y)
    for row in worst.ranked:
        one = run.explain.sample(row.index, part)
        assert (one.loss, one.truth) == (pytest.approx(row.loss, rel=1e-4, abs=1e-6), row.truth)
        if type(run.recipe.loss).__name__ in ("cross_entropy", "negative_log_likelihood"):
            assert -math.log(row.p) == pytest.approx(row.loss, rel=1e-6)
    json.dumps(worst.to_dict())
    assert all(len(line) <= 80 for line in worst.text().splitlines())


@pytest.mark.parametrize(
    "name", ["digits", "digits37", "iris", "hinge", "perceptron", "similarity"]
)
def test_the_confusion(runs: Runs, name: str) -> None:
    run = runs(name)
    x, _ = run.explain.subject.part("valid")
    stored = run.explain.subject.data.valid.y.reshape(-1).long()
    with torch.no_grad():
        answers = run.output.decide(run.network(x))
    found = run.explain.confusion()
    assert found.counts == tuple(
        map(tuple, confusion_matrix(stored, answers, labels=range(len(found.classes))).tolist())
    )
    assert found.total == len(stored)
    assert found.right == int((stored == answers).sum())
    assert all(len(line) <= 80 for line in found.text().splitlines())


def test_the_confusion_of_labels(runs: Runs) -> None:
    run = runs("labels")
    part = run.explain.subject.data.valid
    with torch.no_grad():
        answers = run.network(part.x) > 0
    found = run.explain.confusion()
    for label, counts in enumerate(found.counts):
        (right_no, false_yes), (false_no, right_yes) = confusion_matrix(
            part.y[:, label], answers[:, label], labels=[0, 1]
        ).tolist()
        assert counts == (right_no, false_yes, false_no, right_yes)


def test_a_loss_that_is_not_a_number_is_the_worst() -> None:
    run = copy.copy(made("diabetes", predict="linear()", stop="epochs(1)"))
    run.network = copy.deepcopy(run.network)
    with torch.no_grad():
        run.network[1].weight.fill_(math.nan)
    assert (
        run.explain.samples(worst=1).ranked[0].loss != run.explain.samples(worst=1).ranked[0].loss
    )


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


def test_a_regression_has_no_confusion(runs: Runs) -> None:
    with pytest.raises(ArgumentError, match="a regression has no classes"):
        runs("diabetes").explain.confusion()
    assert runs("diabetes").explain.samples().confusion is None
