"""One sample through the network: what it looks like, what every layer makes of it, the answer, and
where its loss comes from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.data import Data
from sevensteps.explain.base import Explanation
from sevensteps.explain.forward import forward_pass, named_leaves, output_names, unit_name
from sevensteps.explain.loss_terms import Term, loss_terms
from sevensteps.explain.subject import Subject
from sevensteps.head import Output
from sevensteps.render.text import figure
from sevensteps.steps import loss as losses


@dataclass(frozen=True)
class Given:
    """The input: `raw` numbers [shape] as they were before scaling, `fed` as the network gets them, both flat."""

    kind: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    raw: tuple[float, ...]
    fed: tuple[float, ...]
    highest: float | None


@dataclass(frozen=True)
class LayerSeen:
    """What a layer gave for this sample: `values` flat, `shape` without the axis of samples."""

    name: str
    kind: str
    shape: tuple[int, ...]
    values: tuple[float, ...]

    def largest(self, count: int) -> list[tuple[str, float]]:
        """The unit and number of the `count` values of greatest size, largest first; all in their
        order where there are no more.
        """
        at = range(len(self.values))
        order = (
            list(at) if len(at) <= count else sorted(at, key=lambda i: -abs(self.values[i]))[:count]
        )
        return [(unit_name("", i, self.shape), self.values[i]) for i in order]


@dataclass(frozen=True)
class Row:
    """A column of the book's table, as a row: one class, label or value. `loss` is None where the loss does not read this column.

    `output` and `slope` = dL/d(output) are None for the other class of a network with one output,
    which has none of its own."""

    name: str
    index: int
    output: float | None
    probability: float | None
    target: float
    loss: float | None
    slope: float | None


@dataclass(frozen=True)
class Sample(Explanation):
    """One sample explained. `answer` and `truth` are names, or numbers in raw units for a regression; a single output answers yes
    above `threshold`."""

    index: int
    part: str
    run: str
    given: Given
    layers: tuple[LayerSeen, ...]
    rows: tuple[Row, ...]
    outputs: tuple[float, ...]
    slopes: tuple[float, ...]
    loss_name: str
    loss: float
    terms: tuple[Term, ...]
    answer: Any
    truth: Any
    right: bool | None
    why: tuple[str, ...]
    threshold: float
    dtype: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def title(self) -> str:
        """One line: which sample, what it is, what the network says."""
        told = (
            "" if self.right is None else ", which is right" if self.right else ", which is wrong"
        )
        return f"Sample {self.index:,} of {self.part}: {said(self.truth)}, answered {said(self.answer)}{told}"


def sample(subject: Subject, index: int, part: str = "valid") -> Sample:
    """Sample `index` of `part` ("train" or "valid"). Raises `ArgumentError` where there is none."""
    x, y = subject.sample(index, part)
    index %= len(subject.part(part)[1])
    seen = forward_pass(subject.network, x)
    output, target = seen.output.double(), y.double() if y.is_floating_point() else y
    loss, task = subject.loss, subject.output.task
    slopes = loss.derivative(output, target)[0].tolist()
    found = tuple(loss_terms(loss, output[0], target[0]))
    kinds = {name: type(module).__name__ for name, module in named_leaves(subject.network)}
    layers = tuple(
        LayerSeen(name, kinds[name], tuple(held.shape[1:]), tuple(held.double().flatten().tolist()))
        for name, held in seen.outputs.items()
        if held.shape[:1] == x.shape[:1]
    )
    stored = getattr(subject.data, part).y[index : index + 1]
    [answer], [truth] = decode(subject.data, subject.output, output, stored)
    right = None if task.kind == "regression" else answer == truth
    return Sample(
        index,
        part,
        subject.recipe.source,
        _given(subject.data, x),
        layers,
        _rows(subject, output[0], target[0], slopes, found),
        tuple(output[0].tolist()),
        tuple(slopes),
        type(loss).__name__,
        float(loss(output, target)[0]),
        found,
        answer,
        truth,
        right,
        tuple(_why(subject, output, target)),
        subject.output.threshold,
        str(seen.dtype).removeprefix("torch."),
    )


def decode(
    data: Data, output: Output, outputs: Tensor, stored: Tensor
) -> tuple[list[Any], list[Any]]:
    """The network's answers for samples with these outputs, and the right ones: names of classes,
    or numbers in raw units.
    """

    def unscale(values: Tensor) -> Tensor:
        return data.target_scaling.undo(values.float())

    return output.decode(outputs, unscale), output.decode_target(stored, unscale)


def said(answer: Any) -> str:
    """An answer in words."""
    if isinstance(answer, tuple):
        return ", ".join(map(said, answer)) or "none"
    return figure(answer, 6) if isinstance(answer, float) else str(answer)


def _given(data: Data, x: Tensor) -> Given:
    shape = tuple(x.shape[1:])
    named = (
        data.features if len(data.features) == shape[0] else tuple(f"x{i}" for i in range(shape[0]))
    )
    raw = data.scaling.undo(x.float())[0].double().flatten().tolist()
    return Given(
        data.kind,
        shape,
        named if len(shape) == 1 else (),
        tuple(raw),
        tuple(x[0].double().flatten().tolist()),
        data.highest,
    )


def _rows(
    subject: Subject,
    output: Tensor,
    target: Tensor,
    slopes: list[float],
    found: list[Term] | tuple[Term, ...],
) -> tuple[Row, ...]:
    read_as, called = subject.output, output_names(subject)
    shares = None if read_as.link == "identity" else read_as.predict(output[None])[0].tolist()
    if (
        read_as.task.kind == "binary" and read_as.size == 1 and shares is not None
    ):  # one output speaks for both classes
        yes, p, o = float(target[0]), shares[0], float(output[0])
        no = float(torch.sigmoid(-output)[0])
        value = found[0].value
        return (
            Row(read_as.task.classes[0], 0, None, no, 1 - yes, value if yes == 0 else None, None),
            Row(read_as.task.classes[1], 1, o, p, yes, value if yes == 1 else None, slopes[0]),
        )
    rows = []
    for index, name in enumerate(called):
        term: float | None
        one_hot = float(int(target) == index) if target.ndim == 0 else float(target[index])
        term = (
            found[index].value if len(found) == len(called) else found[0].value if one_hot else None
        )
        rows.append(
            Row(
                name,
                index,
                float(output[index]),
                None if shares is None else shares[index],
                one_hot,
                term,
                slopes[index],
            )
        )
    return tuple(rows)


def _why(subject: Subject, output: Tensor, target: Tensor) -> list[str]:
    """How the answer is read off the output, and what readers ask about it."""
    read_as, o = subject.output, output[0]
    classes, first = read_as.task.classes, float(output[0, 0])
    if read_as.task.kind == "regression":
        scaling = subject.data.target_scaling
        if scaling.name == "none":
            return ["The output is the answer itself, in the units of the target."]
        offset, scale = (
            figure(float(held.flatten()[0]), 6) for held in (scaling.offset, scaling.scale)
        )
        count = "" if len(o) == 1 else ", the first of them"
        return [
            f"Answer in raw units{count}: output × scale + offset = {figure(first)} × {scale} + "
            f"{offset}; the loss is in scaled units."
        ]
    if read_as.task.kind == "multilabel":
        p = " (p above .5)" if read_as.link == "sigmoid" else ""
        return [
            f"Each label is answered alone: yes where its output is above {read_as.threshold:g}{p}."
        ]
    if read_as.size > 1:
        best, second = o.topk(2).indices.tolist()
        lines = [
            f"The answer is the column of the largest output (argmax): {classes[best]} with "
            f"{figure(float(o[best]))}, before "
            f"{classes[second]} with {figure(float(o[second]))}."
        ]
        if isinstance(subject.loss, losses.cross_entropy):
            share = float(o.softmax(-1)[int(target[0])])
            lines.append(
                f"The loss is not 1 - p = {figure(1 - share)} but -log p of the right column; the "
                "other columns act through the "
                "softmax: the gradient of the output is p - one-hot."
            )
        return lines
    side = "above" if first > read_as.threshold else "not above"
    answer = classes[int(first > read_as.threshold)]
    if read_as.link == "sigmoid":
        lines = [
            f"The output is a log-odds, log(p / (1 - p)) = {figure(first)}: 0 is probability .5, "
            f"above it the answer is {classes[1]} "
            f"(target 1), below it {classes[0]} (target 0)."
        ]
        if isinstance(subject.loss, losses.mnist_loss):
            share = float(o.sigmoid()[0])
            wrong = 1 - share if float(target[0, 0]) == 1 else share
            lines.append(
                f"The loss is the probability of the wrong class, {figure(wrong)}; its slope p (1 "
                "- p) is .25 at most."
            )
        return lines
    if isinstance(subject.loss, losses.hinge):
        return [
            f"The sign is the answer: {figure(first)} is {side} 0, so {answer}. A score is no "
            "probability; it is right by the margin "
            "where s·o ≥ 1."
        ]
    return [
        f"The output {figure(first)} is {side} the threshold {read_as.threshold:g}, so {answer}."
    ]
