"""Prints each step of a training: the loss, the parameters before it, and their gradient."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from torch import Tensor

from sevensteps.engine.modules import curve_letters
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

SHOWN = 4  # numbers of a vector that are printed; of one with a single more, all


class StepPrinter(Observer):
    """Prints the first `steps` steps, each in a line or two: its loss, the parameters that it
    started from, and the gradient that it took.

    Of a network with many parameters the first few are printed, with the norm of all.
    """

    def __init__(self, steps: int = 10, file: TextIO | None = None) -> None:
        self.steps, self.file = steps, file

    def started(self, training: Training) -> None:
        self.first = training.progress.step
        self.names = curve_letters(training.network)
        self.before = training.engine.parameters.detach().clone()

    def stepped(self, training: Training) -> None:
        step = training.progress.step - 1
        if step - self.first >= self.steps:
            return
        gradient = training.engine.gradients.detach()
        before, slopes = (vector_text(vector, self.names) for vector in (self.before, gradient))
        print(
            f"step {step}  loss {training.progress.loss:.6g}\n"
            f"  parameters {before}\n  gradient   {slopes}",
            file=self.file or sys.stdout,
            flush=True,
        )
        self.before = training.engine.parameters.detach().clone()

    def free_steps(self, training: Training) -> int:
        left = self.first + self.steps - training.progress.step
        return 1 if left > 0 else sys.maxsize


def vector_text(vector: Tensor, names: Sequence[str] = ()) -> str:
    """The numbers of a flat vector, with their names where these are known: all, or the first few
    and its norm.

    >>> import torch
    >>> vector_text(torch.tensor([1.0, -2.5])), vector_text(torch.tensor([1.0, -2.5]), "ab")
    ('1, -2.5', 'a 1, b -2.5')
    """
    if len(vector) <= SHOWN + 1:
        labels = [f"{name} " for name in names] or [""] * len(vector)
        pairs = zip(labels, vector.tolist(), strict=True)
        return ", ".join(f"{label}{value:.6g}" for label, value in pairs)
    few = ", ".join(f"{value:.4g}" for value in vector[:SHOWN].tolist())
    return f"{few}, … ({len(vector):,} numbers, norm {float(vector.double().norm()):.4g})"
