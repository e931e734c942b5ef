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
from sevensteps.explain.one_step.replay import OneStep, catch
from sevensteps.explain.one_step.updates import Update, update
from sevensteps.explain.subject import Subject

GUESSES = 4  # samples whose predictions are shown
ROWS = 8  # of the samples whose places are named
FLOAT_DIGITS = {
    torch.float32: 9,
    torch.float64: 17,
}  # with so many a number is read back to the same bits


@dataclass(frozen=True)
class Layer:
    """A layer in one step: lengths (L2 norms) of its parameters before it, of their gradient, and of their change.

    `started` says of its tensors how they began, as (name, shape, mean, std).
    """

    name: str
    started: tuple[tuple[str, tuple[int, ...], float, float], ...]
    parameters: float
    gradient: float
    change: float

    @property
    def relative(self) -> float | None:
        """The change beside the parameters, None where these were all 0."""
        return self.change / self.parameters if self.parameters else None


@dataclass(frozen=True)
class Weight:
    """One number in one step, exactly as the training held it: `old`, its `gradient` as the optimizer got it, and `new`."""

    name: str
    old: float
    gradient: float
    new: float
    update: Update


@dataclass(frozen=True)
class Guess:
    """What the network says of one sample of the batch, before and after. `of` names the number: an output or a probability."""

    row: int | None
    target: str
    of: str
    before: float
    after: float


@dataclass(frozen=True)
class Steps(Explanation):
    """One step. `losses` are the mean loss of its batch before and after; `foreseen` is the fall that the slope alone promises, gradient ·
    change, None where the method gives no slope. `same` says whether the loss is that which watching saw then, None where nobody looked.
    """

    at: int
    count: int
    epoch: int
    lr: float
    steps: dict[str, str]
    layers: tuple[Layer, ...]
    guesses: tuple[Guess, ...]
    losses: tuple[float, float]
    loss: float
    ignorant: float
    gradient: float
    clipped: float | None
    weight: Weight
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
        """How far the batch's loss fell."""
        return self.losses[0] - self.losses[1]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "fall": self.fall}


def steps(subject: Subject, at: int = 0) -> Steps:
    """Step `at`, counted from 0. Raises `ArgumentError` where the training took no such step."""
    step = catch(subject, at)
    recipe, training = subject.recipe, step.training
    changed = step.before.double() - step.after.double()
    sloped = type(recipe.gradient).__name__ != "perceptron_rule"
    rows = [batch.rows for batch in step.batches]
    places = (
        None
        if any(row is None for row in rows)
        else torch.cat([row for row in rows if row is not None])
    )
    return Steps(
        at=at,
        count=int(subject.summary["steps"]),
        epoch=step.epoch,
        lr=step.lr,
        steps={name: repr(held) for name, held in recipe.steps.items()},
        layers=_layers(step),
        guesses=_guesses(subject, step, places),
        losses=step.mean,
        loss=step.loss,
        ignorant=subject.loss.baseline(training.samples.y, training.output.size),
        gradient=float(step.raw.double().norm()),
        clipped=float(step.gradient.double().norm()) if recipe.gradient.clip is not None else None,
        weight=_weight(step),
        digits=FLOAT_DIGITS[step.before.dtype],
        foreseen=float(step.raw.double() @ changed) if sloped else None,
        size=sum(len(batch.y) for batch in step.batches),
        rows=None if places is None else tuple(places.tolist()),
        order=_order(subject, step),
        members=_members(subject, places),
        stop=_stop(subject, step),
        same=_same(subject, step),
    )


def _layers(step: OneStep) -> tuple[Layer, ...]:
    groups: dict[str, list[str]] = {}
    for name in step.training.engine.slices:
        groups.setdefault(name.rpartition(".")[0] or name, []).append(name)
    found = []
    for layer, names in groups.items():
        places = [step.training.engine.slices[name] for name in names]

        def length(of: Tensor, places: Any = places) -> float:
            return math.hypot(*(float(of[place].double().norm()) for place, _ in places))

        began = []
        for name, (place, shape) in zip(names, places, strict=True):
            start = step.start[place].double()
            began.append(
                (
                    name.rpartition(".")[2],
                    tuple(shape),
                    float(start.mean()),
                    float(start.std(correction=0)),
                )
            )
        found.append(
            Layer(
                layer,
                tuple(began),
                length(step.before),
                length(step.gradient),
                length(step.after.double() - step.before),
            )
        )
    return tuple(found)


def _weight(step: OneStep) -> Weight:
    """The weight of the first weight tensor with the largest gradient: most is to be seen there."""
    slices = step.training.engine.slices
    name = next((name for name, (_, shape) in slices.items() if len(shape) > 1), next(iter(slices)))
    place, shape = slices[name]
    flat = int(step.gradient[place].abs().argmax())
    at = place.start + flat
    index = [
        flat // math.prod(shape[axis + 1 :]) % size for axis, size in enumerate(shape)
    ]  # torch's own takes .4 s to import
    before, after = (
        {key: float(held[at] if held.ndim else held) for key, held in memory.items()}
        for memory in (step.remembered, step.memory)
    )
    old, slope = float(step.before[at]), float(step.gradient[at])
    made = update(step.training.recipe.step, step.lr, old, slope, before, after)
    return Weight(f"{name}{index or ''}", old, slope, float(step.after[at]), made)


def _guesses(subject: Subject, step: OneStep, places: Tensor | None) -> tuple[Guess, ...]:
    output, names, found = subject.output, subject.output.task.classes, []
    predictions = [output.predict(of[:GUESSES]) for of in step.outputs]
    targets = torch.cat([batch.y for batch in step.batches])[:GUESSES]
    for number, target in enumerate(targets):
        column, of = 0, "output"
        if output.task.kind in ("binary", "multiclass"):
            right = (
                int(target.reshape(-1).argmax())
                if output.coding == "one_hot"
                else int(target.reshape(-1)[0])
            )
            said = names[right]
            column = right if output.size > 1 else 0
            of = (
                f"output for {said}"
                if output.size > 1
                else f"output, above {output.threshold:g} for {names[1]}"
            )
            if output.link != "identity":
                of = f"probability of {said if output.size > 1 else names[1]}"
        elif output.task.kind == "multilabel":
            said, of = (
                ("yes" if target[0] else "no"),
                f"{'probability of' if output.link != 'identity' else 'output for'} {names[0]}",
            )
        else:
            said, of = f"{float(target.reshape(-1)[0]):.4g}", "prediction"
        before, after = (float(held[number, column]) for held in predictions)
        found.append(
            Guess(None if places is None else int(places[number]), said, of, before, after)
        )
    return tuple(found)


def _members(subject: Subject, places: Tensor | None) -> dict[str, int]:
    """How many of the batch belong to each class."""
    task = subject.output.task
    if places is None or task.kind not in ("binary", "multiclass"):
        return {}
    labels = subject.data.train.y.reshape(-1).long()[places.cpu()]
    return dict(
        zip(task.classes, torch.bincount(labels, minlength=len(task.classes)).tolist(), strict=True)
    )


def _order(subject: Subject, step: OneStep) -> str:
    repeat = subject.recipe.repeat
    kind = type(repeat).__name__
    if kind == "full_batch":
        return "all samples at once"
    if kind == "loader":
        return "as your loader gives them"
    if not repeat.shuffle:
        return "in the order of the data"
    return f"shuffled with seed {subject.recipe.seed if repeat.order is None else repeat.order}, epoch {step.epoch + 1}"


def _stop(subject: Subject, step: OneStep) -> str:
    total, stop = step.training.total, subject.summary["stop"]
    far = (
        f"{step.at + 1:,} of at most {total:,} steps taken"
        if total
        else f"{step.at + 1:,} steps taken"
    )
    ended = f"the training ended after {int(subject.summary['steps']):,}: {stop['reason']}"
    return f"{far}; {ended}"


def _same(subject: Subject, step: OneStep) -> bool | None:
    if subject.observation is None:
        return None
    seen = dict(subject.observation.losses)
    return seen[step.at] == step.loss if step.at in seen else None
