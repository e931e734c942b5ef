"""What several of these loops end with, and the parts that they share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.pair import explained, right
from benchmarks.doctor.data import Data


def judged(watching: Any, model: nn.Module, data: Data, loss_fn: Any) -> Trained:
    """The share of right classes, of right answers yes or no, or of explained variance."""
    x, y = data[1]
    with torch.no_grad():
        output = model.eval()(x)
    if not y.is_floating_point():
        score = right(output, y)
    elif set(y.unique().tolist()) == {0.0, 1.0}:
        finite = bool(output.isfinite().all())
        score = float(((output > 0) == (y > 0.5)).double().mean()) if finite else -1.0
    else:
        score = explained(output, y)
    known = {"train": data[0], "valid": data[1], "loss_fn": loss_fn}
    return Trained(watching, score, known)


class Last(nn.Module):
    """A recurrent network over a series [B, T, K] and a layer on its last state."""

    def __init__(self, memory: nn.RNNBase, outputs: int) -> None:
        super().__init__()
        self.memory = memory
        self.out = nn.Linear(memory.hidden_size, outputs)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.memory(x)
        answer: Tensor = self.out(states[:, -1])
        return answer
