"""The samples with the greatest or the least losses, and which class is taken for which."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.arguments import whole
from sevensteps.errors import ArgumentError
from sevensteps.explain.base import Explanation
from sevensteps.explain.sample.answer import decode
from sevensteps.explain.subject import Subject
from sevensteps.seeds import Isolation
from sevensteps.training.evaluation import outputs_of


@dataclass(frozen=True)
class Ranked:
    """A sample: `p` is the probability given to the truth, None where the network gives none. `image` is its input, [C, H, W] flat."""

    index: int
    truth: Any
    answer: Any
    loss: float
    p: float | None
    input: tuple[float, ...]


@dataclass(frozen=True)
class Confusion(Explanation):
    """`counts[truth][answer]` of one-of-many classes; of yes/no labels, `counts[label]` is [right no, false yes, false no, right yes]."""

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
        """Which class was taken for which, how often: most often first."""
        found = (
            [
                (self.classes[i], self.classes[j], count)
                for i, row in enumerate(self.counts)
                for j, count in enumerate(row)
                if i != j and count
            ]
            if not self.labels
            else []
        )
        return sorted(found, key=lambda held: -held[2])

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "total": self.total, "right": self.right}


@dataclass(frozen=True)
class Samples(Explanation):
    """The samples with the greatest losses (`which` is "worst") or the least ("best"); `shape` is that of an input."""

    which: str
    part: str
    run: str
    loss_name: str
    mean: float
    total: int
    ranked: tuple[Ranked, ...]
    kind: str
    shape: tuple[int, ...]
    confusion: Confusion | None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "confusion": self.confusion.to_dict() if self.confusion else None}


def samples(
    subject: Subject, worst: int | None = None, best: int | None = None, part: str = "valid"
) -> Samples:
    """The `worst` or the `best` so many samples of `part`, by loss. Raises `ArgumentError` where
    both or a number below 1 are given.
    """
    if worst is not None and best is not None:
        raise ArgumentError("worst and best are two questions; ask for one of them")
    asked = "best" if best is not None else "worst"
    count = whole(asked, best if best is not None else 5 if worst is None else worst, at_least=1)
    x, target = subject.part(part)
    outputs = _outputs(subject, x)
    losses = subject.loss(outputs, target.double() if target.is_floating_point() else target)
    # numbers that are not finite first among the worst, last among the best
    order = (
        losses.nan_to_num(nan=float("inf"), posinf=float("inf"))
        .argsort(descending=asked == "worst", stable=True)[:count]
        .tolist()
    )
    stored, ranked = getattr(subject.data, part).y, []
    for index in order:
        [answer], [truth] = decode(
            subject.data, subject.output, outputs[index : index + 1], stored[index : index + 1]
        )
        shown = subject.data.scaling.undo(x[index : index + 1].float()).flatten().tolist()
        p = _probability(subject, outputs[index], target[index])
        ranked.append(Ranked(index, truth, answer, float(losses[index]), p, tuple(shown)))
    several = subject.output.task.kind != "regression"
    return Samples(
        asked,
        part,
        subject.recipe.source,
        type(subject.loss).__name__,
        float(losses.mean()),
        len(losses),
        tuple(ranked),
        subject.data.kind,
        tuple(x.shape[1:]),
        _confusion(subject, outputs, stored, part) if several else None,
    )


def confusion(subject: Subject, part: str = "valid") -> Confusion:
    """Which class is taken for which in `part`. Raises `ArgumentError` for a regression, which has
    none.
    """
    if subject.output.task.kind == "regression":
        raise ArgumentError(
            "a regression has no classes to take for each other; its greatest errors: "
            "samples(worst=5)"
        )
    x, _ = subject.part(part)
    return _confusion(subject, _outputs(subject, x), getattr(subject.data, part).y, part)


def _outputs(subject: Subject, x: Any) -> Tensor:
    """[N, O], computed as the training did, and then in float64."""
    like = next(subject.network.parameters(), torch.empty(0))
    with torch.no_grad(), Isolation(torch.Generator().manual_seed(0)):
        return outputs_of(subject.network, x.to(like.device, like.dtype)).cpu().double().clone()


def _confusion(subject: Subject, outputs: Tensor, stored: Tensor, part: str) -> Confusion:
    task, answers = subject.output.task, subject.output.decide(outputs)
    labels = task.kind == "multilabel"
    if labels:
        at = (2 * stored.long() + answers).T  # right no 0, false yes 1, false no 2, right yes 3
        counts = [torch.bincount(row, minlength=4).tolist() for row in at]
    else:
        size = len(task.classes)
        counts = (
            torch.bincount(stored.reshape(-1).long() * size + answers, minlength=size * size)
            .view(size, size)
            .tolist()
        )
    return Confusion(part, subject.recipe.source, task.classes, tuple(map(tuple, counts)), labels)


def _probability(subject: Subject, output: Tensor, target: Tensor) -> float | None:
    """What the network gives the truth; of several labels, the least of what it gives them."""
    if subject.output.link == "identity":
        return None
    p = subject.output.predict(output[None])[0]
    if target.ndim == 0:
        return float(p[int(target)])
    of_truth = torch.where(target == 1, p, 1 - p)
    if subject.output.task.kind == "multiclass":
        return float(p[int(target.argmax())])
    return float(of_truth.min())
