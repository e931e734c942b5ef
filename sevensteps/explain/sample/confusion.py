"""Which class is taken for which, how often."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.errors import ArgumentError
from sevensteps.explain.base import Explanation
from sevensteps.explain.subject import Subject
from sevensteps.seeds import Isolation
from sevensteps.training.evaluation import outputs_of


@dataclass(frozen=True)
class Confusion(Explanation):
    """How often each class is taken for each: `counts[truth][answer]`.

    With several labels, `counts[label]` is [right no, false yes, false no, right yes].
    """

    part: str
    run: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    labels: bool

    @property
    def total(self) -> int:
        """All samples; of labels all answers."""
        return sum(map(sum, self.counts))

    @property
    def right(self) -> int:
        """How many answers are right."""
        return (
            sum(row[0] + row[3] for row in self.counts)
            if self.labels
            else sum(row[i] for i, row in enumerate(self.counts))
        )

    @property
    def mistakes(self) -> list[tuple[str, str, int]]:
        """(truth, answer, how often) of the wrong answers, most often first; none for labels."""
        if self.labels:
            return []
        pairs = [
            (self.classes[i], self.classes[j], count)
            for i, row in enumerate(self.counts)
            for j, count in enumerate(row)
            if i != j and count
        ]
        return sorted(pairs, key=lambda pair: -pair[2])

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "total": self.total, "right": self.right}


def confusion(subject: Subject, part: str = "valid") -> Confusion:
    """Which class is taken for which in `part`, how often.

    Raises `ArgumentError` for a regression, which has no classes.
    """
    if subject.output.task.kind == "regression":
        raise ArgumentError(
            "a regression has no classes to take for each other; its greatest errors: "
            "samples(worst=5)"
        )
    x, _ = subject.part(part)
    return count_confusion(
        subject, float64_outputs(subject, x), getattr(subject.data, part).y, part
    )


def float64_outputs(subject: Subject, x: Any) -> Tensor:
    """[N, O], computed as the training did, and then in float64."""
    like = next(subject.network.parameters(), torch.empty(0))
    with torch.no_grad(), Isolation(torch.Generator().manual_seed(0)):
        return outputs_of(subject.network, x.to(like.device, like.dtype)).cpu().double().clone()


def count_confusion(subject: Subject, outputs: Tensor, stored: Tensor, part: str) -> Confusion:
    """The confusion of `outputs` [N, O] against the targets of `part` as they are stored."""
    task, answers = subject.output.task, subject.output.decide(outputs)
    labels = task.kind == "multilabel"
    if labels:
        outcomes = (
            2 * stored.long() + answers
        ).T  # right no 0, false yes 1, false no 2, right yes 3
        counts = [torch.bincount(row, minlength=4).tolist() for row in outcomes]
    else:
        size = len(task.classes)
        counts = (
            torch.bincount(stored.reshape(-1).long() * size + answers, minlength=size * size)
            .view(size, size)
            .tolist()
        )
    return Confusion(part, subject.recipe.source, task.classes, tuple(map(tuple, counts)), labels)
