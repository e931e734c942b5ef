"""The loss that is usual for the targets of a training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sevensteps.doctor.case import Case


def usual_loss(case: Case, answer: Tensor | None, target: Tensor | None) -> Tensor:
    """Cross-entropy of classes, binary cross-entropy of yes and no, the squared error of numbers in
    units of their variance. Raises `ValueError` for any other task, `RuntimeError` where shapes do
    not fit.
    """
    if answer is None or target is None:
        raise ValueError("the answer is not known among the outputs")
    if case.task in ("multiclass", "binary") and answer[0].numel() > 1:
        return F.cross_entropy(answer, target.reshape(len(answer)).long())
    if case.task == "binary":
        logits = answer.reshape(-1)
        yes = target.reshape(-1).to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, (yes > 0).to(logits.dtype))
    if case.task == "regression":
        error = answer.reshape(len(answer), -1) - target.reshape(len(answer), -1)
        variance = case.target.double().var() if case.target is not None else torch.ones(())
        return error.square().mean() / float(variance.clamp_min(1e-12))
    raise ValueError(f"no loss is usual for a task of kind {case.task}")
