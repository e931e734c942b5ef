"""Columns of a table that tell the target: exactly, nearly, or by marks of the classes."""

from __future__ import annotations

import torch
from torch import Tensor

SAME = 1e-6  # that a correlation may fall short of 1


def explained_shares(x: Tensor, y: Tensor) -> Tensor:
    """The share of each column's variance, of [N, F], that the target explains: by its line, or by
    the means of its classes.
    """
    total = (x - x.mean(0)).square().sum(0).clamp_min(1e-300)
    if y.is_floating_point():
        if y.shape[1] != 1:
            return torch.zeros(x.shape[1])
        centred = y - y.mean(0)
        products = ((x - x.mean(0)) * centred).sum(0)
        return products.square() / (total * centred.square().sum().clamp_min(1e-300))
    one_hot = torch.nn.functional.one_hot(y).double()
    counts = one_hot.sum(0).clamp_min(1)
    means = (one_hot.T @ x) / counts[:, None]
    return 1 - (x - means[y]).square().sum(0) / total


def copies(x: Tensor, y: Tensor) -> list[int]:
    """The columns of [N, F] from which the targets [N] follow one to one."""
    y = y.reshape(-1)
    values = y.unique()
    if len(values) <= max(2, len(y) // 20):  # classes
        firsts = x[torch.stack([(y == value).nonzero()[0, 0] for value in values])]
        of_class = firsts[torch.searchsorted(values, y)]
        constant = (x == of_class).all(0)
        return [
            column
            for column in constant.nonzero().flatten().tolist()
            if len(firsts[:, column].unique()) == len(values) > 1
        ]
    if not y.is_floating_point():
        return []
    a, b = x - x.mean(0), (y.double() - y.double().mean())[:, None]
    correlation = (a * b).sum(0) / (a.norm(dim=0) * b.norm()).clamp_min(1e-300)
    columns: list[int] = (correlation.abs() > 1 - SAME).nonzero().flatten().tolist()
    return columns


def marks_of_classes(x: Tensor, classes: Tensor) -> list[int]:
    """Of each class a column of [N, F] that is one number for it and a smaller one for all others;
    -1 where there is none.
    """
    marks = []
    for number in range(int(classes.max()) + 1):
        own, rest = x[classes == number], x[classes != number]
        constant = (own == own[:1]).all(0) & (rest == rest[:1]).all(0)
        columns = (constant & (own[0] > rest[0])).nonzero().flatten().tolist()
        marks.append(columns[0] if columns else -1)
    return marks


def columns_above(x: Tensor, classes: Tensor) -> list[tuple[int, float]]:
    """Of each class a column of [N, F] that is larger in all its samples than in any other, and the
    number between them; nothing unless each has one of its own.
    """
    above: list[tuple[int, float]] = []
    for number in range(int(classes.max()) + 1):
        least = x[classes == number].amin(0)
        most = x[classes != number].amax(0)
        gap = least - most
        column = int(gap.argmax())
        if not float(gap[column]) > 0 or column in [earlier for earlier, _ in above]:
            return []
        above.append((column, float(least[column] + most[column]) / 2))
    return above


def is_one_to_one(x: Tensor, y: Tensor) -> bool:
    """Whether numbers [N] are classes [N] by other names: as many, and each always the same."""
    pairs = torch.stack([x.double(), y.double()], 1).unique(dim=0)
    return len(pairs) == len(x.unique()) == len(y.unique()) > 1
