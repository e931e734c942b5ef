"""One sample through the network: its input, every layer's output, the answer, and its loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.data import Data
from sevensteps.data.table.cell_parsing import format_cell
from sevensteps.explain.base import Explanation
from sevensteps.explain.forward import forward_pass, named_leaves, output_names, unit_name
from sevensteps.explain.loss_terms import Term, loss_terms
from sevensteps.explain.subject import Subject
from sevensteps.head import Output
from sevensteps.render.text import number_text
from sevensteps.steps import loss as losses


@dataclass(frozen=True)
class SampleInput:
    """The input of a sample, flat: `raw` before scaling, `fed` as the network gets it; `written`
    has the raw values that are no plain numbers, as dates, by place.
    """

    kind: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    raw: tuple[float, ...]
    fed: tuple[float, ...]
    highest: float | None
    written: Mapping[int, str]


@dataclass(frozen=True)
class LayerOutput:
    """The output of a layer for one sample: `values` flat, `shape` without the axis of samples."""

    name: str
    kind: str
    shape: tuple[int, ...]
    values: tuple[float, ...]

    def largest(self, count: int) -> list[tuple[str, float]]:
        """(unit, value) of the `count` largest values by size; of no more, all in their order."""
        units = range(len(self.values))
        order = list(units)
        if len(units) > count:
            order = sorted(units, key=lambda i: -abs(self.values[i]))[:count]
        return [(unit_name("", i, self.shape), self.values[i]) for i in order]


@dataclass(frozen=True)
class OutputRow:
    """A row of the table of outputs: one class, label or value.

    `loss` is None if the loss does not read this output. `output` and `slope` = dL/d(output) are
    None for the class "no" of a network with one output, which has no output of its own.
    """

    name: str
    index: int
    output: float | None
    probability: float | None
    target: float
    loss: float | None
    slope: float | None


@dataclass(frozen=True)
class Sample(Explanation):
    """One sample explained.

    `answer` and `truth` are names of classes, or numbers in raw units for a regression; `right` is
    None there. A single output answers yes above `threshold`. In JSON `input` is called `given`.
    """

    index: int
    part: str
    run: str
    input: SampleInput
    layers: tuple[LayerOutput, ...]
    rows: tuple[OutputRow, ...]
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
        return {"given" if name == "input" else name: value for name, value in asdict(self).items()}

    @property
    def title(self) -> str:
        """One line: which sample, what it is, what the network says."""
        verdict = ""
        if self.right is not None:
            verdict = ", which is right" if self.right else ", which is wrong"
        return (
            f"Sample {self.index} of {self.part}: {answer_text(self.truth)}, answered "
            f"{answer_text(self.answer)}{verdict}"
        )


def sample(subject: Subject, index: int, part: str = "valid") -> Sample:
    """Sample `index` of `part` ("train" or "valid"), negative counted from the end.

    Raises `ArgumentError` if there is no such sample or part.
    """
    x, y = subject.sample(index, part)
    index %= len(subject.part(part)[1])
    forward = forward_pass(subject.network, x)
    output, target = forward.output.double(), y.double() if y.is_floating_point() else y
    loss, task = subject.loss, subject.output.task
    slopes = loss.derivative(output, target)[0].tolist()
    terms = tuple(loss_terms(loss, output[0], target[0]))
    kinds = {name: type(module).__name__ for name, module in named_leaves(subject.network)}
    layers = tuple(
        LayerOutput(
            name, kinds[name], tuple(values.shape[1:]), tuple(values.double().flatten().tolist())
        )
        for name, values in forward.outputs.items()
        if values.shape[:1] == x.shape[:1]
    )
    stored = getattr(subject.data, part).y[index : index + 1]
    [answer], [truth] = answers_and_truths(subject.data, subject.output, output, stored)
    return Sample(
        index=index,
        part=part,
        run=subject.recipe.source,
        input=_sample_input(subject.data, x),
        layers=layers,
        rows=_output_rows(subject, output[0], target[0], slopes, terms),
        outputs=tuple(output[0].tolist()),
        slopes=tuple(slopes),
        loss_name=type(loss).__name__,
        loss=float(loss(output, target)[0]),
        terms=terms,
        answer=answer,
        truth=truth,
        right=None if task.kind == "regression" else answer == truth,
        why=tuple(_how_decided(subject, output, target)),
        threshold=subject.output.threshold,
        dtype=str(forward.dtype).removeprefix("torch."),
    )


def answers_and_truths(
    data: Data, output: Output, outputs: Tensor, stored: Tensor
) -> tuple[list[Any], list[Any]]:
    """The answers to samples and the truths: names of classes, or numbers in raw units.

    `outputs` [N, O] are the network's, `stored` [N, …] the targets as the data hold them.
    """

    def unscale(values: Tensor) -> Tensor:
        return data.target_scaling.undo(values.float())

    return output.decode(outputs, unscale), output.decode_target(stored, unscale)


def answer_text(answer: Any) -> str:
    """An answer as text: `7`, `cat, dog`, `none` or `23.1`."""
    if isinstance(answer, tuple):
        return ", ".join(map(answer_text, answer)) or "none"
    return number_text(answer, 6) if isinstance(answer, float) else str(answer)


def _sample_input(data: Data, x: Tensor) -> SampleInput:
    shape = tuple(x.shape[1:])
    names: tuple[str, ...] = ()
    if len(shape) == 1:
        has_names = len(data.features) == shape[0]
        names = data.features if has_names else tuple(f"x{i}" for i in range(shape[0]))
    raw = data.scaling.undo_as_written(x.float())[0].flatten().tolist()
    fed = x[0].double().flatten().tolist()
    columns = data.encoding.columns if data.encoding is not None else ()
    dates = {column.name for column in columns if column.kind == "date"}
    written = {at: format_cell(raw[at], "date") for at, n in enumerate(names) if n in dates}
    return SampleInput(data.kind, shape, names, tuple(raw), tuple(fed), data.highest, written)


def _output_rows(
    subject: Subject,
    output: Tensor,
    target: Tensor,
    slopes: list[float],
    terms: tuple[Term, ...],
) -> tuple[OutputRow, ...]:
    """A row for each output [O], or for both classes of a yes/no answer with one output."""
    layer, names = subject.output, output_names(subject)
    probabilities = None if layer.link == "identity" else layer.predict(output[None])[0].tolist()
    if layer.task.kind == "binary" and layer.size == 1 and probabilities is not None:
        yes, loss = float(target[0]), terms[0].value
        no_name, yes_name = layer.task.classes
        return (
            OutputRow(
                name=no_name,
                index=0,
                output=None,
                probability=float(torch.sigmoid(-output)[0]),
                target=1 - yes,
                loss=loss if yes == 0 else None,
                slope=None,
            ),
            OutputRow(
                name=yes_name,
                index=1,
                output=float(output[0]),
                probability=probabilities[0],
                target=yes,
                loss=loss if yes == 1 else None,
                slope=slopes[0],
            ),
        )
    rows = []
    for index, name in enumerate(names):
        one_hot = float(int(target) == index) if target.ndim == 0 else float(target[index])
        loss_here: float | None = terms[0].value if one_hot else None
        if len(terms) == len(names):
            loss_here = terms[index].value
        rows.append(
            OutputRow(
                name=name,
                index=index,
                output=float(output[index]),
                probability=None if probabilities is None else probabilities[index],
                target=one_hot,
                loss=loss_here,
                slope=slopes[index],
            )
        )
    return tuple(rows)


def _how_decided(subject: Subject, output: Tensor, target: Tensor) -> list[str]:
    """Sentences on how the answer follows from the output, and the loss from both."""
    layer, o = subject.output, output[0]
    classes, first = layer.task.classes, float(output[0, 0])
    if layer.task.kind == "regression":
        scaling = subject.data.target_scaling
        if scaling.name == "none":
            return ["The output is the answer itself, in the units of the target."]
        offset, scale = (
            number_text(float(number.flatten()[0]), 6) for number in (scaling.offset, scaling.scale)
        )
        count = "" if len(o) == 1 else ", the first of them"
        return [
            f"Answer in raw units{count}: output × scale + offset = {number_text(first)} × "
            f"{scale} + "
            f"{offset}; the loss is in scaled units."
        ]
    if layer.task.kind == "multilabel":
        hint = " (p above .5)" if layer.link == "sigmoid" else ""
        return [
            "Each label is decided on its own: yes if its output is above "
            f"{layer.threshold:g}{hint}."
        ]
    if layer.size > 1:
        best, second = o.topk(2).indices.tolist()
        lines = [
            f"The answer is the class with the largest output (argmax): {classes[best]} with "
            f"{number_text(float(o[best]))}; next is {classes[second]} with "
            f"{number_text(float(o[second]))}."
        ]
        if isinstance(subject.loss, losses.cross_entropy):
            p = float(o.softmax(-1)[int(target[0])])
            lines.append(
                f"The loss is -log p of the right class, not 1 - p = {number_text(1 - p)}. The "
                "other classes matter through the softmax: dL/do is p - one-hot."
            )
        return lines
    side = "above" if first > layer.threshold else "not above"
    answer = classes[int(first > layer.threshold)]
    if layer.link == "sigmoid":
        lines = [
            f"The output is a log-odds, log(p / (1 - p)) = {number_text(first)}: 0 is probability "
            ".5, "
            f"above it the answer is {classes[1]} "
            f"(target 1), below it {classes[0]} (target 0)."
        ]
        if isinstance(subject.loss, losses.mnist_loss):
            p = float(o.sigmoid()[0])
            wrong = 1 - p if float(target[0, 0]) == 1 else p
            lines.append(
                f"The loss is the probability of the wrong class, {number_text(wrong)}; its slope "
                "p (1 "
                "- p) is .25 at most."
            )
        return lines
    if isinstance(subject.loss, losses.hinge):
        return [
            f"The sign is the answer: {number_text(first)} is {side} 0, so {answer}. A score is no "
            "probability; it is right by the margin "
            "where s·o ≥ 1."
        ]
    return [
        f"The output {number_text(first)} is {side} the threshold {layer.threshold:g}, so {answer}."
    ]
