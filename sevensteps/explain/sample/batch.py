"""Several samples as the table of a book: probabilities, target, and loss, a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from sevensteps.errors import ArgumentError
from sevensteps.explain.base import Explanation
from sevensteps.explain.sample.answer import answers_and_truths
from sevensteps.explain.sample.confusion import float64_outputs
from sevensteps.explain.subject import Subject


@dataclass(frozen=True)
class BatchRow:
    """A sample of the batch. `idx` is its place in it, `values` the probabilities of the classes,
    or the outputs where they are read as they are.
    """

    idx: int
    sample: int
    values: tuple[float, ...]
    target: float
    truth: Any
    answer: Any
    loss: float


@dataclass(frozen=True)
class Batch(Explanation):
    """Several samples of `part` in one table. `columns` names the values; `mean` is the loss of the
    batch, the mean of those of its samples.
    """

    part: str
    run: str
    loss_name: str
    columns: tuple[str, ...]
    probabilities: bool
    rows: tuple[BatchRow, ...]
    mean: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def batch(subject: Subject, indices: Sequence[int], part: str = "valid") -> Batch:
    """The samples at `indices` of `part`, in that order.

    Raises `ArgumentError` where there is no such sample.
    """
    x, target = subject.part(part)
    for index in indices:
        subject.sample(index, part)  # says so where there is none
    if not indices:
        raise ArgumentError("give the numbers of some samples, such as 0,1,2")
    wanted = torch.tensor([index % len(target) for index in indices])
    outputs = float64_outputs(subject, x[wanted.to(x.device)])
    target = target[wanted.to(target.device)]
    losses = subject.loss(outputs, target.double() if target.is_floating_point() else target)
    layer, task = subject.output, subject.output.task
    are_probabilities = layer.link != "identity"
    values = layer.predict(outputs) if are_probabilities else outputs
    columns = tuple(task.classes) if len(task.classes) == values.shape[1] else ()
    if task.kind == "binary" and layer.size == 1 and are_probabilities:
        values, columns = torch.cat([1 - values, values], 1), tuple(task.classes)
    columns = columns or tuple(f"output {n}" for n in range(values.shape[1]))
    stored = getattr(subject.data, part).y[wanted]
    answers, truths = answers_and_truths(subject.data, layer, outputs, stored)
    return Batch(
        part,
        subject.recipe.source,
        repr(subject.recipe.loss),
        columns,
        are_probabilities,
        tuple(
            BatchRow(
                idx,
                int(wanted[idx]),
                tuple(values[idx].tolist()),
                float(stored[idx].reshape(-1)[0]),
                truths[idx],
                answers[idx],
                float(losses[idx]),
            )
            for idx in range(len(wanted))
        ),
        float(losses.mean()),
    )
