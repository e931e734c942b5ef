"""The terms of every loss add up to the value that PyTorch gives."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.explain.loss_terms import loss_terms
from sevensteps.steps import loss as losses
from tests.engine.test_agreement import HEADS, spread

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


@pytest.mark.parametrize("output", [-30.0, -12.0, -9.0, -3.0, 3.0, 9.0, 12.0, 30.0])
@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("loss", [losses.binary_cross_entropy(), losses.mnist_loss()])
def test_a_formula_of_a_sure_answer_gives_its_value(
    loss: losses.Loss, target: float, output: float
) -> None:
    o = torch.tensor([output], dtype=torch.float64)
    (term,) = loss_terms(loss, o, torch.tensor([target]))
    assert evaluated(term.formula) == pytest.approx(term.value, rel=2e-3)
    logits = torch.tensor([output, 0.0], dtype=torch.float64)
    (term,) = loss_terms(losses.cross_entropy(), logits, torch.tensor(int(target)))
    assert evaluated(term.formula) == pytest.approx(term.value, rel=2e-3)
