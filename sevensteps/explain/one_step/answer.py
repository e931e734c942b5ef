"""What happened in one training step, 1 to 7, and what came of it: the training is repeated up to
that step, to the same bits.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.explain.base import Explanation
from sevensteps.explain.one_step.replay import ReplayedStep, replay_step
from sevensteps.explain.one_step.updates import Update, write_update
from sevensteps.explain.subject import Subject
from sevensteps.steps.gradient import perceptron_rule
from sevensteps.steps.repeat import full_batch, loader

MAX_PREDICTIONS = 4  # samples whose predictions are shown
# with so many digits a number is read back to the same bits
FLOAT_DIGITS = {torch.float32: 9, torch.float64: 17}


@dataclass(frozen=True)
class LayerChange:
    """A layer in one step: lengths (L2 norms) of its parameters before it, of their gradient, and
    of their change.

    `started` says how its tensors were initialized, as (name, shape, mean, std).
    """

    name: str
    started: tuple[tuple[str, tuple[int, ...], float, float], ...]
    parameters: float
    gradient: float
    change: float

    @property
    def relative(self) -> float | None:
        """The change relative to the parameters; None where these were all 0."""
        return self.change / self.parameters if self.parameters else None


@dataclass(frozen=True)
class WeightChange:
    """One weight in one step, to the bit: `old`, its `gradient` as the optimizer got it, and
    `new`; `update` writes the step out.
    """

    name: str
    old: float
    gradient: float
    new: float
    update: Update


@dataclass(frozen=True)
class SamplePrediction:
    """What the network predicts for one sample of the batch, before and after the step; `of` names
    the number: an output or a probability.
    """

    row: int | None
    target: str
    of: str
    before: float
    after: float


@dataclass(frozen=True)
class Steps(Explanation):
    """One training step.

    `losses` are the mean losses of its batch before and after; `foreseen` is the fall that the
    gradient alone promises, gradient · change, None where the method gives no gradient. `same` says
    whether the loss is the one that was recorded in the training, None where none was. `ignorant`
    is the loss of a network that knows nothing.
    """

    at: int
    count: int
    epoch: int
    lr: float
    steps: dict[str, str]
    layers: tuple[LayerChange, ...]
    guesses: tuple[SamplePrediction, ...]
    losses: tuple[float, float]
    loss: float
    ignorant: float
    gradient: float
    clipped: float | None
    weight: WeightChange
    digits: int
    foreseen: float | None
    size: int
    rows: tuple[int, ...] | None
    order: str
    members: dict[str, int]
    stop: str
    same: bool | None

    @property
    def fall(self) -> float:
        """How far the loss of the batch fell; below 0 where it rose."""
        return self.losses[0] - self.losses[1]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "fall": self.fall}


def steps(subject: Subject, at: int = 0) -> Steps:
    """Step `at`, counted from 0. Raises `ArgumentError` where the training took no such step."""
    step = replay_step(subject, at)
    recipe, training = subject.recipe, step.training
    change = step.before.double() - step.after.double()
    is_gradient = not isinstance(recipe.gradient, perceptron_rule)
    batch_rows = [batch.rows for batch in step.batches if batch.rows is not None]
    rows = torch.cat(batch_rows) if len(batch_rows) == len(step.batches) else None
    return Steps(
        at=at,
        count=subject.summary.steps,
        epoch=step.epoch,
        lr=step.lr,
        steps={name: repr(value) for name, value in recipe.steps.items()},
        layers=_layers(step),
        guesses=_predictions(subject, step, rows),
        losses=step.losses,
        loss=step.loss,
        ignorant=subject.loss.baseline(training.samples.y, training.output.size),
        gradient=float(step.unclipped.double().norm()),
        clipped=float(step.gradient.double().norm()) if recipe.gradient.clip is not None else None,
        weight=_weight(step),
        digits=FLOAT_DIGITS[step.before.dtype],
        foreseen=float(step.unclipped.double() @ change) if is_gradient else None,
        size=sum(len(batch.y) for batch in step.batches),
        rows=None if rows is None else tuple(rows.tolist()),
        order=_order_text(subject, step),
        members=_class_counts(subject, rows),
        stop=_stop_text(subject, step),
        same=_is_recorded_loss(subject, step),
    )


def _layers(step: ReplayedStep) -> tuple[LayerChange, ...]:
    slices = step.training.engine.slices
    tensors: dict[str, list[str]] = {}  # by layer
    for name in slices:
        tensors.setdefault(name.rpartition(".")[0] or name, []).append(name)

    def length(vector: Tensor, names: list[str]) -> float:
        return math.hypot(*(float(vector[slices[name][0]].double().norm()) for name in names))

    layers = []
    for layer, names in tensors.items():
        started = []
        for name in names:
            columns, shape = slices[name]
            start = step.start[columns].double()
            started.append(
                (
                    name.rpartition(".")[2],
                    tuple(shape),
                    float(start.mean()),
                    float(start.std(correction=0)),
                )
            )
        layers.append(
            LayerChange(
                layer,
                tuple(started),
                length(step.before, names),
                length(step.gradient, names),
                length(step.after.double() - step.before, names),
            )
        )
    return tuple(layers)


def _weight(step: ReplayedStep) -> WeightChange:
    """The weight of the first weight tensor with the largest gradient: there is most to see."""
    slices = step.training.engine.slices
    name = next((name for name, (_, shape) in slices.items() if len(shape) > 1), next(iter(slices)))
    columns, shape = slices[name]
    flat = int(step.gradient[columns].abs().argmax())
    at = columns.start + flat
    # by hand, because `torch.unravel_index` takes .4 s to import
    index = [flat // math.prod(shape[axis + 1 :]) % size for axis, size in enumerate(shape)]
    memory_before, memory_after = (
        {key: float(tensor[at] if tensor.ndim else tensor) for key, tensor in memory.items()}
        for memory in (step.memory_before, step.memory_after)
    )
    old, gradient = float(step.before[at]), float(step.gradient[at])
    optimizer = step.training.recipe.step
    update = write_update(optimizer, step.lr, old, gradient, memory_before, memory_after)
    return WeightChange(f"{name}{index or ''}", old, gradient, float(step.after[at]), update)


def _predictions(
    subject: Subject, step: ReplayedStep, rows: Tensor | None
) -> tuple[SamplePrediction, ...]:
    output, classes = subject.output, subject.output.task.classes
    predictions = [output.predict(outputs[:MAX_PREDICTIONS]) for outputs in step.outputs]
    targets = torch.cat([batch.y for batch in step.batches])[:MAX_PREDICTIONS]
    probability = output.link != "identity"
    shown = []
    for index, target in enumerate(targets):
        column, of = 0, "output"
        if output.task.kind in ("binary", "multiclass"):
            label = (
                int(target.reshape(-1).argmax())
                if output.coding == "one_hot"
                else int(target.reshape(-1)[0])
            )
            target_text = classes[label]
            column = label if output.size > 1 else 0
            if probability:
                of = f"probability of {target_text if output.size > 1 else classes[1]}"
            elif output.size > 1:
                of = f"output for {target_text}"
            else:
                of = f"output, above {output.threshold:g} for {classes[1]}"
        elif output.task.kind == "multilabel":
            target_text = "yes" if target[0] else "no"
            of = f"{'probability of' if probability else 'output for'} {classes[0]}"
        else:
            target_text, of = f"{float(target.reshape(-1)[0]):.4g}", "prediction"
        before, after = (float(prediction[index, column]) for prediction in predictions)
        row = None if rows is None else int(rows[index])
        shown.append(SamplePrediction(row, target_text, of, before, after))
    return tuple(shown)


def _class_counts(subject: Subject, rows: Tensor | None) -> dict[str, int]:
    """How many samples of the batch belong to each class."""
    task = subject.output.task
    if rows is None or task.kind not in ("binary", "multiclass"):
        return {}
    labels = subject.data.train.y.reshape(-1).long()[rows.cpu()]
    counts = torch.bincount(labels, minlength=len(task.classes)).tolist()
    return dict(zip(task.classes, counts, strict=True))


def _order_text(subject: Subject, step: ReplayedStep) -> str:
    repeat = subject.recipe.repeat
    if isinstance(repeat, full_batch):
        return "all samples at once"
    if isinstance(repeat, loader):
        return "as your loader gives them"
    if not repeat.shuffle:
        return "in the order of the data"
    seed = subject.recipe.seed if repeat.order is None else repeat.order
    return f"shuffled with seed {seed}, epoch {step.epoch + 1}"


def _stop_text(subject: Subject, step: ReplayedStep) -> str:
    total, stop = step.training.total, subject.summary.stop
    limit = f" of at most {total:,}" if total else ""
    return (
        f"{step.at + 1:,}{limit} steps taken; the training ended after "
        f"{subject.summary.steps:,}: {stop.reason}"
    )


def _is_recorded_loss(subject: Subject, step: ReplayedStep) -> bool | None:
    if subject.observation is None:
        return None
    losses = dict(subject.observation.losses)
    return losses[step.at] == step.loss if step.at in losses else None
