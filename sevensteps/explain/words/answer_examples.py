"""Examples of words about how good and how sure the answers are, from the validation samples."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.sample.confusion import Confusion, confusion
from sevensteps.explain.words.examples import Example, example_of, no_example
from sevensteps.metrics import baseline, metric_of
from sevensteps.render.text import count_text, number_text
from sevensteps.steps import loss as losses

REGRESSION = "it predicts numbers, not classes"


class _OfClass(NamedTuple):
    """How the samples and answers of one class meet: right ones, answers, samples."""

    name: str
    right: int
    answers: int
    samples: int


def _confusion(run: RunNumbers) -> Confusion | None:
    """The confusion of the validation part; None where each sample has not one class."""
    kind = run.subject.output.task.kind
    return confusion(run.subject) if kind in ("binary", "multiclass") else None


def _least(run: RunNumbers, recall: bool) -> _OfClass | None:
    """The class with the lowest recall, or else precision; None without classes."""
    matrix = _confusion(run)
    if matrix is None:
        return None
    classes = [
        _OfClass(name, matrix.counts[i][i], sum(row[i] for row in matrix.counts), sum(row))
        for i, (name, row) in enumerate(zip(matrix.classes, matrix.counts, strict=True))
    ]
    counted = [c for c in classes if (c.samples if recall else c.answers)]
    return min(counted, key=lambda c: c.right / (c.samples if recall else c.answers), default=None)


@example_of("confusion matrix")
def _confusion_matrix(run: RunNumbers) -> Example:
    matrix = _confusion(run)
    if matrix is None:
        return no_example("its samples do not have one class each")
    numbers = {"right": matrix.right, "total": matrix.total}
    text = f"{matrix.right:,} of {count_text(matrix.total, 'validation sample')} are right"
    if matrix.mistakes:
        truth, answer, count = matrix.mistakes[0]
        text += f"; {truth} is taken for {answer} most often, {count_text(count, 'time')}"
    return Example(text, numbers)


@example_of("precision")
def _precision(run: RunNumbers) -> Example:
    least = _least(run, recall=False)
    if least is None:
        return no_example(REGRESSION)
    value = least.right / least.answers
    return Example(
        f"that of class {least.name} is the lowest: of {count_text(least.answers, 'answer')} that "
        f"name it {least.right:,} are right, {number_text(value)}",
        {"class": least.name, "precision": value},
    )


@example_of("recall")
def _recall(run: RunNumbers) -> Example:
    least = _least(run, recall=True)
    if least is None:
        return no_example(REGRESSION)
    value = least.right / least.samples
    return Example(
        f"that of class {least.name} is the lowest: of its {count_text(least.samples, 'sample')} "
        f"{least.right:,} are answered right, {number_text(value)}",
        {"class": least.name, "recall": value},
    )


@example_of("F1")
def _f1(run: RunNumbers) -> Example:
    least = _least(run, recall=True)
    if least is None:
        return no_example(REGRESSION)
    value = 2 * least.right / (least.answers + least.samples)
    precision = least.right / least.answers if least.answers else 0.0
    return Example(
        f"class {least.name} has the lowest recall, {number_text(least.right / least.samples)}; "
        f"with its precision of {number_text(precision)} that makes an F1 of {number_text(value)}",
        {"class": least.name, "f1": value},
    )


@example_of("AUC")
def _auc(run: RunNumbers) -> Example:
    task = run.subject.output.task
    if task.kind != "binary":
        return no_example("it does not choose between two classes")
    outputs = run.valid_outputs.double()
    scores = outputs[:, -1] - (outputs[:, 0] if outputs.shape[1] == 2 else 0)
    yes = run.subject.data.valid.y.flatten() > 0
    ordered = scores[~yes].sort().values
    below = torch.searchsorted(ordered, scores[yes]).double()
    not_above = torch.searchsorted(ordered, scores[yes], right=True).double()
    value = float((below + not_above).mean()) / (2 * len(ordered))
    return Example(
        f"{number_text(value)}: how often a validation sample of {task.classes[1]} gets a larger "
        f"output than one of {task.classes[0]}",
        {"auc": value},
    )


@example_of("perplexity")
def _perplexity(run: RunNumbers) -> Example:
    loss = run.subject.summary.metrics["valid"]["loss"]
    of_classes = (losses.cross_entropy, losses.negative_log_likelihood)
    if not isinstance(run.subject.loss, (*of_classes, losses.binary_cross_entropy)):
        return no_example(f"its loss is {run.subject.loss!r}, no cross-entropy")
    if loss is None or not math.isfinite(loss) or loss > math.log(1e300):
        return no_example("its loss is no number, or too large for exp")
    classes = max(2, len(run.subject.output.task.classes))
    return Example(
        f"exp({number_text(loss)}) = {number_text(math.exp(loss))} on the validation samples; who "
        f"guesses among {classes} classes has {classes}",
        {"loss": loss, "perplexity": math.exp(loss)},
    )


def _probabilities(run: RunNumbers) -> Tensor | None:
    """The probability of each class [N, C] for all validation samples; None where a sample has not
    one class, or its outputs are no probabilities.
    """
    output = run.subject.output
    if output.task.kind not in ("binary", "multiclass") or output.link == "identity":
        return None
    p = output.predict(run.valid_outputs.double())
    p = torch.cat([1 - p, p], 1) if p.shape[1] == 1 else p
    return p if bool(p.isfinite().all()) else None


@example_of("entropy")
def _entropy(run: RunNumbers) -> Example:
    p = _probabilities(run)
    if p is None:
        return no_example("its outputs are not the probabilities of classes")
    entropies = torch.special.entr(p).sum(1)
    value, most = float(entropies[0]), int(entropies.argmax())
    return Example(
        f"the answer to validation sample 0 has {number_text(value)}, the most uncertain one, to "
        f"sample {most}, {number_text(float(entropies[most]))}; {p.shape[1]} equal probabilities "
        f"would have {number_text(math.log(p.shape[1]))}",
        {"entropy": value, "sample": most, "largest": float(entropies[most])},
    )


@example_of("calibration")
def _calibration(run: RunNumbers) -> Example:
    p = _probabilities(run)
    if p is None:
        return no_example("its outputs are not the probabilities of classes")
    sure = float(p.max(1).values.mean())
    right = float((p.argmax(1) == run.subject.data.valid.y.flatten().long()).double().mean())
    return Example(
        f"its answers to the validation samples have a probability of {number_text(sure)} on "
        f"average, and {number_text(right)} of them are right",
        {"probability": sure, "accuracy": right},
    )


@example_of("chance level")
def _chance_level(run: RunNumbers) -> Example:
    task, target = run.subject.output.task, run.subject.data.valid.y
    value = baseline(task.kind, target)
    own = f"the network has {number_text(run.score)}"
    if task.kind in ("binary", "multiclass"):
        counts = torch.bincount(target.flatten().long(), minlength=len(task.classes))
        name = task.classes[int(counts.argmax())]
        return Example(
            f"class {name} is the most frequent of the validation samples; always to answer it "
            f"gives accuracy {number_text(value)}, {own}",
            {"accuracy": value, "class": name},
        )
    metric = metric_of(task.kind)
    what = "each label's more frequent answer" if task.kind == "multilabel" else "the mean target"
    return Example(
        f"always to answer {what} gives {metric} {number_text(value)}, {own}", {metric: value}
    )
