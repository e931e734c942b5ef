"""The samples with the largest or the smallest losses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.arguments import whole
from sevensteps.errors import ArgumentError
from sevensteps.explain.base import Explanation
from sevensteps.explain.sample.answer import answers_and_truths
from sevensteps.explain.sample.confusion import Confusion, count_confusion, float64_outputs
from sevensteps.explain.subject import Subject
from sevensteps.explain.why.question import command_on_run


@dataclass(frozen=True)
class RankedSample:
    """A sample by its loss: `p` is the probability of the truth, None without probabilities.

    `input` is its raw input, flat.
    """

    index: int
    truth: Any
    answer: Any
    loss: float
    p: float | None
    input: tuple[float, ...]


@dataclass(frozen=True)
class Samples(Explanation):
    """The samples with the largest losses (`which` is "worst") or the smallest ("best").

    `shape` is that of an input; `command` shows the first of them.
    """

    which: str
    part: str
    run: str
    command: str
    loss_name: str
    mean: float
    total: int
    ranked: tuple[RankedSample, ...]
    kind: str
    shape: tuple[int, ...]
    confusion: Confusion | None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "confusion": self.confusion.to_dict() if self.confusion else None}


def samples(
    subject: Subject, worst: int | None = None, best: int | None = None, part: str = "valid"
) -> Samples:
    """The `worst` or the `best` so many samples of `part` by their loss; the worst 5 by default.

    Raises `ArgumentError` if both are given, or a number below 1.
    """
    if worst is not None and best is not None:
        raise ArgumentError("worst and best are two questions; ask for one of them")
    which = "best" if best is not None else "worst"
    wanted = best if best is not None else 5 if worst is None else worst
    count = whole(which, wanted, at_least=1)
    x, target = subject.part(part)
    outputs = float64_outputs(subject, x)
    losses = subject.loss(outputs, target.double() if target.is_floating_point() else target)
    # numbers that are not finite first among the worst, last among the best
    order = (
        losses.nan_to_num(nan=float("inf"), posinf=float("inf"))
        .argsort(descending=which == "worst", stable=True)[:count]
        .tolist()
    )
    stored, ranked = getattr(subject.data, part).y, []
    for index in order:
        [answer], [truth] = answers_and_truths(
            subject.data, subject.output, outputs[index : index + 1], stored[index : index + 1]
        )
        raw = subject.data.scaling.undo_as_written(x[index : index + 1].float()).flatten().tolist()
        p = _probability(subject, outputs[index], target[index])
        ranked.append(RankedSample(index, truth, answer, float(losses[index]), p, tuple(raw)))
    has_classes = subject.output.task.kind != "regression"
    return Samples(
        which=which,
        part=part,
        run=subject.recipe.source,
        command=_command(subject, order[0], part),
        loss_name=type(subject.loss).__name__,
        mean=float(losses.mean()),
        total=len(losses),
        ranked=tuple(ranked),
        kind=subject.data.kind,
        shape=tuple(x.shape[1:]),
        confusion=count_confusion(subject, outputs, stored, part) if has_classes else None,
    )


def _command(subject: Subject, index: int, part: str) -> str:
    if subject.folder is None:
        return f'run.explain.sample({index}, "{part}")'
    return command_on_run("explain", subject, "sample", str(index), "--part", part)


def _probability(subject: Subject, output: Tensor, target: Tensor) -> float | None:
    """The probability that the network gives the truth; of several labels the smallest."""
    if subject.output.link == "identity":
        return None
    p = subject.output.predict(output[None])[0]
    if target.ndim == 0:
        return float(p[int(target)])
    of_truth = torch.where(target == 1, p, 1 - p)
    if subject.output.task.kind == "multiclass":
        return float(p[int(target.argmax())])
    return float(of_truth.min())
