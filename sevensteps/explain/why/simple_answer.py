"""How well a simple answer does on the same samples, and how sure a share of few samples is."""

from __future__ import annotations

import math

import torch

from sevensteps.explain.run_numbers import RunNumbers


def simple_answer(run: RunNumbers) -> tuple[str, float] | None:
    """A baseline in closed form: the nearest class mean, or least squares; (what, its metric)."""
    subject = run.subject
    kind, x = subject.output.task.kind, run.train_inputs
    rest = subject.part("valid")[0]
    if not x.is_floating_point() or kind == "multilabel" or not isinstance(rest, torch.Tensor):
        return None
    x, new = x.double().flatten(1), rest.double().flatten(1)
    y, truth = subject.data.train.y[: len(x)].cpu(), subject.data.valid.y.cpu()
    if kind == "regression":
        if x.shape[1] > 1000:
            return None
        ones = [torch.ones(len(rows), 1, dtype=torch.float64) for rows in (x, new)]
        fitted = torch.linalg.lstsq(torch.cat([x, ones[0]], 1), y.double(), driver="gelsd").solution
        left = (truth.double() - torch.cat([new, ones[1]], 1) @ fitted).square().sum()
        spread = (truth.double() - truth.double().mean(0)).square().sum()
        return (
            ("a straight line by least squares", float(1 - left / spread)) if spread > 0 else None
        )
    labels = y.reshape(-1).long()
    means = torch.stack(
        [x[labels == number].mean(0) for number in range(len(subject.output.task.classes))]
    )
    answers = torch.cdist(new, means).argmin(1)
    return "the nearest class mean", float((answers == truth.reshape(-1).long()).double().mean())


def share_interval(share: float, count: int) -> tuple[float, float]:
    """Between what the true share lies, at 95 %, where `share` of `count` samples was seen; it
    holds for few samples and at 0 and 1, too. Source: Wilson 1927, Probable inference.
    """
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    half /= 1 + z * z / count
    return max(middle - half, 0.0), min(middle + half, 1.0)
