"""The formula of a loss with the numbers of one sample filled in, one for each output."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.render.text import number_text
from sevensteps.steps import loss as losses
from sevensteps.steps.loss import Loss


@dataclass(frozen=True)
class Term:
    """One of the numbers whose mean is the loss of a sample.

    `formula` has its numbers filled in and equals `value`; `slope` says how its derivative by the
    output is found.
    """

    value: float
    formula: str
    slope: str


def loss_terms(loss: Loss, output: Tensor, target: Tensor) -> list[Term]:
    """The terms of the loss of one sample: `output` [O], `target` [] (a class) or [O]. Several
    terms are averaged.

    >>> loss_terms(losses.mnist_loss(), torch.tensor([0.0]), torch.tensor([1.0]))[0].formula
    '1 - p = 1 - 0.5'
    """
    if isinstance(loss, losses.cross_entropy):
        right = int(target)
        logs = output.log_softmax(-1)
        p = _probability_text(math.exp(logs[right]), -math.expm1(logs[right]))
        return [Term(-float(logs[right]), f"-log p of column {right} = -log {p}", "p - target")]
    if isinstance(loss, losses.negative_log_likelihood):
        right = int(target)
        value = float(output[right])
        return [
            Term(
                -value,
                f"-o of column {right}, which is log p already = -({number_text(value)})",
                "-1 in the right column, else 0",
            )
        ]
    return [
        _term_of_one_output(loss, float(o), float(t), len(output))
        for o, t in zip(output, target, strict=True)
    ]


def _term_of_one_output(loss: Loss, o: float, t: float, count: int) -> Term:
    """One output judged alone."""
    over = f" / {count}" if count > 1 else ""
    value = float(
        loss.value(
            torch.tensor([[o]], dtype=torch.float64), torch.tensor([[t]], dtype=torch.float64)
        )
    )
    a, b = number_text(o), number_text(t)
    difference = f"{a} - {b}" if t >= 0 else f"{a} - ({b})"
    if isinstance(loss, losses.mean_squared_error):
        return Term(value, f"(o - t)² = ({difference})²", f"2 (o - t){over}")
    if isinstance(loss, losses.mean_absolute_error):
        return Term(value, f"|o - t| = |{difference}|", f"sign(o - t){over}")
    if isinstance(loss, losses.huber):
        d = number_text(loss.delta)
        if abs(o - t) <= loss.delta:
            return Term(value, f"½(o - t)², as |o - t| ≤ {d} = ½({difference})²", f"(o - t){over}")
        return Term(
            value,
            f"delta(|o - t| - ½delta), as |o - t| > {d} = {d}(|{difference}| - "
            f"{number_text(loss.delta / 2)})",
            f"sign(o - t)·{d}{over}",
        )
    if isinstance(loss, losses.hinge):
        sign = 1 if t == 1 else -1
        s_o = number_text(sign * o) if sign * o >= 0 else f"({number_text(sign * o)})"
        slope = f"-s{over}, as s·o < 1" if sign * o < 1 else "0, as s·o ≥ 1: right by the margin"
        return Term(value, f"max(0, 1 - s·o) with s = {sign:+d} = max(0, 1 - {s_o})", slope)
    p = 1 / (1 + math.exp(-o)) if o >= 0 else math.exp(o) / (1 + math.exp(o))
    rest = math.exp(-o) / (1 + math.exp(-o)) if o >= 0 else 1 / (1 + math.exp(o))
    if isinstance(loss, losses.binary_cross_entropy):
        formula = {
            1.0: f"-log p = -log {_probability_text(p, rest)}",
            0.0: f"-log(1 - p) = -log {_probability_text(rest, p)}",
        }
        soft = f"-t log p - (1 - t) log(1 - p) with t = {b}, p = {number_text(p)}"
        return Term(value, formula.get(t, soft), f"(p - target){over}" if over else "p - target")
    if isinstance(loss, losses.mnist_loss):
        return Term(
            value,
            f"1 - p = 1 - {_probability_text(p, rest)}" if t == 1 else f"p = {number_text(p)}",
            f"{'-' if t == 1 else ''}p (1 - p){over}, which dies where p is near 0 or 1",
        )
    return Term(value, f"{type(loss).__name__}({a}, {b})", "its derivative")


def _probability_text(p: float, rest: float) -> str:
    """`p` with as many digits as its logarithm, and 1 - p, need: four significant ones of `rest`,
    which is 1 - p, where that is small.

    >>> _probability_text(0.99984957, 0.00015043), _probability_text(1 - 3e-12, 3e-12)
    ('0.9998496', '(1 - 3e-12)')
    """
    if rest >= 0.1 or rest <= 0:
        return number_text(p)
    if rest < 1e-7:
        return f"(1 - {number_text(rest)})"
    return f"{p:.{3 - math.floor(math.log10(rest))}f}"
