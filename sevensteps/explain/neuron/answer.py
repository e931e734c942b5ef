"""One neuron: its weights, what makes it fire, its life over the training, its twin, and what is
lost without it.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.modules import Neuron as Sum
from sevensteps.errors import ArgumentError, Error
from sevensteps.explain.base import Explanation
from sevensteps.explain.neuron.history import Life, life
from sevensteps.explain.neuron.units import (
    CHUNK,
    Answers,
    Place,
    answers,
    named_inputs,
    outgoing,
    place,
    silenced,
)
from sevensteps.explain.subject import Subject
from sevensteps.explain.surface.slice import START
from sevensteps.training.evaluation import measure

TOP = 8  # samples that make it fire most
SAME = 1e-5  # of the largest weight: the rounding of float32 over a training
ALIKE = 0.999  # correlation of two units that do the same
GROUPS = 4  # of a regression's targets, from low to high


@dataclass(frozen=True)
class Strong:
    """A training sample that makes the unit fire: its number, class or target, the unit's sum there (the largest of its positions)."""

    sample: int
    target: str
    sum: float
    position: int


@dataclass(frozen=True)
class Group:
    """The training samples of a class, or of a quarter of a regression's targets: how many, the unit's mean activation, and the share of
    them (of a convolution: of all their positions) on which it fires.
    """

    name: str
    count: int
    mean: float
    firing: float


@dataclass(frozen=True)
class Twins:
    """Other units of the layer that do the same: by "the same weights", "the opposite weights" or "the same activation"."""

    units: tuple[int, ...]
    how: str
    correlation: float | None


@dataclass(frozen=True)
class Neuron(Explanation):
    """A unit of a layer. `weights` has the shape of the layer's inputs to it (`shape`, of the image where it reads one).

    `dead`: a rectifier whose sum is 0 or below for every training sample; None where there is no
    rectifier. `dead_inputs`: inputs of its that are 0 for every training sample, whose weights get
    no gradient; `dead_moved`: how far at most such a weight is from its start. `outgoing`: by what
    weight each unit of the layer `following` takes it in (its length over positions). `whole` and
    `without` are the validation metrics with it and with 0 in its place; None for an output."""

    layer: str
    unit: int
    units: int
    kind: str
    activation: str | None
    weights: Tensor
    shape: tuple[int, ...]
    image: bool
    names: tuple[str, ...]
    bias: float | None
    w0: bool
    moved: float | None
    samples: int
    firing: float
    mean: float
    groups: tuple[Group, ...]
    top: tuple[Strong, ...]
    pictures: Tensor | None
    dead: bool | None
    dead_inputs: int
    dead_moved: float | None
    life: Life
    twins: Twins | None
    following: str | None
    outgoing: tuple[float, ...]
    whole: dict[str, float] | None
    without: dict[str, float] | None

    @property
    def conv(self) -> bool:
        """Whether its weights are kernels, [channels, height, width]."""
        return not self.image and len(self.shape) > 1

    @property
    def inputs(self) -> int:
        """How many numbers it takes in, of a convolution how many channels."""
        return self.shape[0] if self.conv else self.weights.numel()

    def to_dict(self) -> dict[str, Any]:
        from dataclasses import asdict

        held = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "pictures"}
        for name in ("life", "twins"):
            held[name] = held[name] and asdict(held[name])
        for name in ("groups", "top"):
            held[name] = [asdict(one) for one in held[name]]
        return {**held, "weights": self.weights.tolist(), "events": self.life.events}


def neuron(subject: Subject, layer: str, unit: int, again: bool | None = None) -> Neuron:
    """Unit `unit` of `layer`, seen on all training samples. `again` as in `life`."""
    network = copy.deepcopy(subject.network).cpu().eval()
    where = place(network, layer, unit)
    x = subject.part("train")[0]
    seen = answers(network, where, x, unit)
    if not bool(seen.sums[:, unit].isfinite().all() and seen.values[:, unit].isfinite().all()):
        raise ArgumentError(
            f"unit {unit} of {layer} gives numbers that are not finite: the training diverged; "
            "lower the learning rate"
        )
    weights, bias = _weights(where, unit)
    moved, dead_moved = _since_start(subject, where, unit, seen.silent)
    data = subject.data
    image = (
        data.kind == "image"
        and where.raw
        and not where.conv
        and weights.numel() == math.prod(data.train.x.shape[1:])
    )
    targets = _targets(subject)
    count = len(seen.sums)
    strongest = seen.sums[:, unit].topk(min(TOP, count)).indices.sort().values
    order = strongest[seen.sums[strongest, unit].argsort(descending=True, stable=True)]
    after = outgoing(where, unit)
    dead = not bool((seen.sums[:, unit] > 0).any()) if where.function.rectifies else None
    hidden = where.at < 0 or where.following is not None
    whole, without = _without(subject, network, where, unit) if hidden else (None, None)
    return Neuron(
        layer,
        unit,
        where.units,
        type(where.module).__name__,
        where.kind,
        weights.view(data.train.x.shape[1:]) if image else weights,
        tuple(data.train.x.shape[1:]) if image else tuple(weights.shape),
        image,
        _names(subject, where, weights.numel()),
        bias,
        isinstance(where.module, Sum) and where.module.bias is None,
        moved,
        count,
        float(seen.on[:, unit].mean()),
        float(seen.values[:, unit].mean()),
        _groups(subject, seen, unit),
        tuple(
            Strong(
                int(index),
                targets(int(index)),
                float(seen.sums[index, unit]),
                int(seen.positions[index]),
            )
            for index in order
        ),
        data.train.x[order].cpu() if data.kind == "image" else None,
        dead,
        int(seen.silent.sum()),
        dead_moved,
        life(subject, where, unit, again),
        _twins(where, seen, unit),
        where.following,
        () if after is None else tuple((after if after.ndim == 1 else after.norm(dim=1)).tolist()),
        whole,
        without,
    )


def _weights(where: Place, unit: int) -> tuple[Tensor, float | None]:
    module = where.module
    row = module.weight.detach()[unit].clone()
    if isinstance(module, Sum) and module.bias is None:
        return row[1:], float(row[0])
    return row, None if module.bias is None else float(module.bias.detach()[unit])


def _since_start(
    subject: Subject, where: Place, unit: int, silent: Tensor
) -> tuple[float | None, float | None]:
    """How far the weights have come from where step 1 put them, and how far at most those of dead
    inputs have.
    """
    try:
        before = place(subject.rerun(**START).network.cpu(), where.name, unit)
    except Error:
        return None, None
    apart = _weights(where, unit)[0] - _weights(before, unit)[0]
    dead = apart[silent] if len(silent) == len(apart) and silent.any() else None
    return float(apart.norm()), None if dead is None else float(dead.abs().max())


def _names(subject: Subject, where: Place, count: int) -> tuple[str, ...]:
    """What its weights belong to: features, or units of the layer before; none where they are
    pixels or positions.
    """
    before = where.chain[: max(where.at, 0)]
    if where.raw and subject.data.kind == "table":
        found = named_inputs(
            subject.data.features, subject.data.train.x[0].numel(), [module for _, module in before]
        )
        return found if len(found) == count else ()
    source = next(
        (
            (name, module)
            for name, module in reversed(before)
            if isinstance(module, nn.Linear) and module.out_features == count
        ),
        None,
    )
    return (
        tuple(f"{source[0]} {index}" for index in range(count)) if source and not where.conv else ()
    )


def _targets(subject: Subject) -> Any:
    """A sample's class, labels or target in raw units, as text."""
    data, y = subject.data, subject.data.train.y

    def said(index: int) -> str:
        if data.task.kind == "regression":
            return ", ".join(
                f"{value:.4g}"
                for value in data.target_scaling.undo(y[index : index + 1])[0].tolist()
            )
        if data.task.kind == "multilabel":
            return (
                "+".join(
                    name
                    for name, on in zip(data.task.classes, y[index].tolist(), strict=True)
                    if on
                )
                or "none"
            )
        return data.task.classes[int(y[index])]

    return said


def _groups(subject: Subject, seen: Answers, unit: int) -> tuple[Group, ...]:
    y, task = subject.data.train.y.cpu(), subject.data.task
    members: list[tuple[str, Tensor]]
    if task.kind == "regression":
        order = y[:, 0].argsort(stable=True)
        raw = subject.data.target_scaling.undo(y)[:, 0]
        members = [
            (f"{raw[part[0]]:.4g} to {raw[part[-1]]:.4g}", part)
            for part in order.chunk(min(GROUPS, len(order)))
        ]
    elif task.kind == "multilabel":
        members = [
            (name, torch.nonzero(y[:, index])[:, 0]) for index, name in enumerate(task.classes)
        ]
    else:
        members = [
            (name, torch.nonzero(y.reshape(-1).long() == index)[:, 0])
            for index, name in enumerate(task.classes)
        ]
    found = [
        Group(
            name,
            len(rows),
            float(seen.values[rows, unit].mean()),
            float(seen.on[rows, unit].double().mean()),
        )
        for name, rows in members
        if len(rows)
    ]
    return tuple(
        found if task.kind == "regression" else sorted(found, key=lambda group: -group.mean)
    )


def _twins(where: Place, seen: Answers, unit: int) -> Twins | None:
    """The units with its weights and bias, up to rounding; else with those times -1; else those
    whose activation goes with its own.
    """
    if where.units < 2:
        return None
    rows = where.module.weight.detach().flatten(1)
    rows = (
        rows
        if where.module.bias is None
        else torch.cat([rows, where.module.bias.detach()[:, None]], 1)
    )
    others = torch.arange(where.units) != unit
    near = SAME * float(rows[unit].abs().max())
    for how, sign in (("the same weights", 1), ("the opposite weights", -1)):
        like = ((rows - sign * rows[unit]).abs().amax(1) <= near) & others
        if like.any():
            return Twins(tuple(torch.nonzero(like)[:, 0].tolist()), how, float(sign))
    centred = seen.values.double() - seen.values.double().mean(0)
    lengths = centred.norm(dim=0)
    together = (centred.T @ centred[:, unit]) / (lengths * lengths[unit]).clamp_min(1e-30)
    together[(lengths <= 1e-12) | ~others] = 0
    like = together.abs() >= ALIKE
    if not like.any():
        return None
    best = together[like][together[like].abs().argmax()]
    return Twins(tuple(torch.nonzero(like)[:, 0].tolist()), "the same activation", float(best))


def _without(
    subject: Subject, network: nn.Module, where: Place, unit: int
) -> tuple[dict[str, float], dict[str, float]]:
    """The validation metrics with the unit, and with 0 in the place of its activation."""
    x, y = subject.part("valid")[0], subject.data.valid.y
    found = []
    with torch.no_grad():
        whole = torch.cat([network(piece) for piece in x.split(CHUNK)])
        with silenced(network, where, unit) as outputs:
            less = torch.cat([outputs(piece) for piece in x.split(CHUNK)])
    for given in (whole, less):
        found.append(
            {
                name: value
                for name, value in measure(given, y, subject.loss, subject.output).items()
                if name != "by_class"
            }
        )
    return found[0], found[1]
