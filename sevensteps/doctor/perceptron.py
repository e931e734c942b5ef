"""What is different about a perceptron: its rule knows no learning rate, and it can only draw a
straight line.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.steps.gradient import perceptron_rule

MAX_ROWS, MAX_COLUMNS = 2000, 200  # of a table whose line is looked for
FEW = 20  # samples that no simple model can be cross-validated on


def uses_perceptron_rule(case: Case) -> bool:
    """Whether the perceptron's rule trains it. From zeros its answers are the same at every
    learning rate, and steps as long as the weights are how it learns (Novikoff 1962).
    """
    return case.recipe is not None and isinstance(case.recipe.gradient, perceptron_rule)


def no_line_separates(case: Case) -> bool:
    """Whether no straight line, or plane, has all samples of one of two classes on one side, though
    none of them has both labels.
    """
    separated: bool = case.of_data("no_line_separates", lambda: _no_line_separates(case))
    return separated


def _no_line_separates(case: Case) -> bool:
    if case.sample is None or case.task != "binary" or not case.sample[0].is_floating_point():
        return False
    x, y = (part.detach().cpu().flatten(1) for part in map(_as_table, case.sample))
    if len(x) > MAX_ROWS or x.shape[1] > MAX_COLUMNS or y.shape[1] != 1:
        return False
    labelled = torch.cat([x, y.to(x.dtype)], 1)
    if len(torch.unique(labelled, dim=0)) != len(torch.unique(x, dim=0)):
        return False  # nothing could tell these apart
    return not _separable(x.double(), y[:, 0] > 0)


def _as_table(part: Tensor) -> Tensor:
    return part[:, None] if part.ndim == 1 else part


def _separable(x: Tensor, yes: Tensor) -> bool:
    """Whether there are w and b with w·x + b ≥ 1 where `yes`, and ≤ -1 elsewhere: a linear
    program.
    """
    from scipy.optimize import linprog

    sign = torch.where(yes, 1.0, -1.0).double()[:, None]
    rows = -sign * torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    solved = linprog(
        [0.0] * rows.shape[1], rows.numpy(), [-1.0] * len(rows), bounds=(None, None), method="highs"
    )
    return bool(solved.status != 2)  # 2: there is none
