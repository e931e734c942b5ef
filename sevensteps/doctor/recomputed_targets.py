"""Whether the validation targets are other numbers than those that were learned, made of these."""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.measures import learned_enough
from sevensteps.doctor.pairs import targets_of

BETTER = 0.3  # of the score
ROWS = 10  # samples for each number that is fitted


def recomputed_targets(case: Case) -> float | None:
    """The validation score of weighed sums of the network's answers, fitted to half of the targets
    and judged on the other half, where it is nearly that on the training data, and that of the
    answers themselves far lower: corners of a box in place of a corner and sizes, or columns in
    another order. None where it is not so.
    """
    if case.task != "regression" or not {"train", "valid"} <= case.scores.keys():
        return None
    output, targets = case.valid_outputs, targets_of(case.valid_examples)
    if output is None or targets is None or not learned_enough(case, 0.6):
        return None
    answers, asked = (t.detach().cpu().double().reshape(len(t), -1) for t in (output, targets))
    columns = answers.shape[1]
    if columns < 2 or answers.shape != asked.shape or len(asked) // 2 < ROWS * (columns + 1):
        return None
    matched = _score(answers, asked)
    train, valid = case.scores["train"], case.scores["valid"]
    return matched if matched - valid >= BETTER and matched >= train - BETTER else None


def _score(answers: Tensor, asked: Tensor) -> float:
    """R² of the second half by an affine map of the answers that was fitted to the first."""
    ones = torch.ones(len(answers), 1, dtype=torch.float64)
    inputs, half = torch.cat([answers, ones], 1), len(answers) // 2
    weights = torch.linalg.lstsq(inputs[:half], asked[:half], driver="gelsd").solution
    left = (asked[half:] - inputs[half:] @ weights).square().sum()
    return float(1 - left / (asked[half:] - asked[:half].mean(0)).square().sum().clamp_min(1e-300))
