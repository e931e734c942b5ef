"""One neuron: its weights, what makes it fire, its history, its twins, and its use."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.modules import Neuron as NeuronLayer
from sevensteps.errors import ArgumentError, Error
from sevensteps.explain.base import Explanation
from sevensteps.explain.neuron.history import UnitHistory, unit_history
from sevensteps.explain.neuron.units import (
    CHUNK_SIZE,
    LocatedLayer,
    UnitActivations,
    input_names,
    locate_layer,
    outgoing_weights,
    unit_activations,
    without_unit,
)
from sevensteps.explain.subject import Subject
from sevensteps.explain.surface.slice import UNTRAINED
from sevensteps.training.evaluation import measure

MAX_STRONGEST = 8  # samples that make the unit fire most
EQUAL_WEIGHTS = 1e-5  # of the largest weight: the rounding of float32 over a training
EQUAL_ACTIVATION = 0.999  # correlation of two units that do the same
TARGET_RANGES = 4  # that a regression's targets are divided into, from low to high


@dataclass(frozen=True)
class StrongSample:
    """A training sample that makes a unit fire: its number, its class or target, and the unit's sum
    there (the largest of its positions).
    """

    sample: int
    target: str
    sum: float
    position: int


@dataclass(frozen=True)
class SampleGroup:
    """The training samples of a class, or of a quarter of a regression's targets, as a unit sees
    them.

    `mean` is its mean activation, `firing` the share of the samples (of a convolution: of all their
    positions) on which it fires.
    """

    name: str
    count: int
    mean: float
    firing: float


@dataclass(frozen=True)
class TwinUnits:
    """Other units of the layer that do the same: by "the same weights", "the opposite weights" or
    "the same activation".
    """

    units: tuple[int, ...]
    how: str
    correlation: float | None


@dataclass(frozen=True)
class Neuron(Explanation):
    """A unit of a layer.

    `weights` has the shape of the layer's inputs to it (`shape`, of the image where it reads one).
    `dead`: a rectifier whose sum is 0 or below for every training sample; None where there is no
    rectifier. `dead_inputs`: how many of its inputs are 0 for every training sample, so that their
    weights get no gradient; `dead_moved`: how far at most such a weight is from its start.
    `outgoing`: the weight by which each unit of the layer `following` takes it in (its length over
    positions). `whole` and `without` are the validation metrics with it and with 0 in its place;
    None for an output.
    """

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
    groups: tuple[SampleGroup, ...]
    top: tuple[StrongSample, ...]
    pictures: Tensor | None
    dead: bool | None
    dead_inputs: int
    dead_moved: float | None
    life: UnitHistory
    twins: TwinUnits | None
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
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "pictures"}
        for name in ("life", "twins"):
            numbers[name] = numbers[name] and asdict(numbers[name])
        for name in ("groups", "top"):
            numbers[name] = [asdict(row) for row in numbers[name]]
        return {**numbers, "weights": self.weights.tolist(), "events": self.life.events}


def neuron(subject: Subject, layer: str, unit: int, again: bool | None = None) -> Neuron:
    """Unit `unit` of `layer`, on all training samples.

    `again` says whether to train again to see its history; None does so where nobody watched and
    the training was short. Raises `ArgumentError` where there is no such unit, or where its numbers
    are not finite.
    """
    network = copy.deepcopy(subject.network).cpu().eval()
    located = locate_layer(network, layer, unit)
    activations = unit_activations(network, located, subject.part("train")[0], unit)
    sums, values = activations.sums[:, unit], activations.values[:, unit]
    if not bool(sums.isfinite().all() and values.isfinite().all()):
        raise ArgumentError(
            f"unit {unit} of {layer} gives numbers that are not finite: the training diverged; "
            "lower the learning rate"
        )
    weights, bias = _weights_and_bias(located, unit)
    moved, dead_moved = _distances_from_start(subject, located, unit, activations.dead_inputs)
    data = subject.data
    image = (
        data.kind == "image"
        and located.reads_inputs
        and not located.conv
        and weights.numel() == math.prod(data.train.x.shape[1:])
    )
    shape = tuple(data.train.x.shape[1:]) if image else tuple(weights.shape)
    strongest = sums.topk(min(MAX_STRONGEST, len(sums))).indices.sort().values
    strongest = strongest[sums[strongest].argsort(descending=True, stable=True)]
    target_text = _target_text(subject)
    outgoing = outgoing_weights(located, unit)
    if outgoing is not None and outgoing.ndim > 1:
        outgoing = outgoing.norm(dim=1)
    hidden = located.index < 0 or located.following is not None
    whole, without = (
        _metrics_with_and_without(subject, network, located, unit) if hidden else (None, None)
    )
    return Neuron(
        layer=layer,
        unit=unit,
        units=located.units,
        kind=type(located.module).__name__,
        activation=located.kind,
        weights=weights.view(shape) if image else weights,
        shape=shape,
        image=image,
        names=_weight_names(subject, located, weights.numel()),
        bias=bias,
        w0=isinstance(located.module, NeuronLayer) and located.module.bias is None,
        moved=moved,
        samples=len(sums),
        firing=float(activations.on[:, unit].mean()),
        mean=float(values.mean()),
        groups=_sample_groups(subject, activations, unit),
        top=tuple(
            StrongSample(
                index, target_text(index), float(sums[index]), int(activations.positions[index])
            )
            for index in strongest.tolist()
        ),
        pictures=data.train.x[strongest].cpu() if data.kind == "image" else None,
        dead=not bool((sums > 0).any()) if located.function.rectifies else None,
        dead_inputs=int(activations.dead_inputs.sum()),
        dead_moved=dead_moved,
        life=unit_history(subject, located, unit, again),
        twins=_twin_units(located, activations, unit),
        following=located.following,
        outgoing=() if outgoing is None else tuple(outgoing.tolist()),
        whole=whole,
        without=without,
    )


def _weights_and_bias(layer: LocatedLayer, unit: int) -> tuple[Tensor, float | None]:
    module = layer.module
    row = module.weight.detach()[unit].clone()
    if isinstance(module, NeuronLayer) and module.bias is None:
        return row[1:], float(row[0])
    return row, None if module.bias is None else float(module.bias.detach()[unit])


def _distances_from_start(
    subject: Subject, layer: LocatedLayer, unit: int, dead_inputs: Tensor
) -> tuple[float | None, float | None]:
    """How far the weights are from where step 1 put them, and how far at most those of dead inputs
    are.
    """
    try:
        start = locate_layer(subject.rerun(**UNTRAINED).network.cpu(), layer.name, unit)
    except Error:
        return None, None
    difference = _weights_and_bias(layer, unit)[0] - _weights_and_bias(start, unit)[0]
    aligned = len(dead_inputs) == len(difference) and dead_inputs.any()
    dead = float(difference[dead_inputs].abs().max()) if aligned else None
    return float(difference.norm()), dead


def _weight_names(subject: Subject, layer: LocatedLayer, count: int) -> tuple[str, ...]:
    """What the weights belong to: features, or units of the layer before; none where they are
    pixels or positions.
    """
    before = layer.chain[: max(layer.index, 0)]
    if layer.reads_inputs and subject.data.kind == "table":
        names = input_names(
            subject.data.features, subject.data.train.x[0].numel(), [module for _, module in before]
        )
        return names if len(names) == count else ()
    source = next(
        (
            name
            for name, module in reversed(before)
            if isinstance(module, nn.Linear) and module.out_features == count
        ),
        None,
    )
    if source is None or layer.conv:
        return ()
    return tuple(f"{source} {index}" for index in range(count))


def _target_text(subject: Subject) -> Callable[[int], str]:
    """A function of a training sample's number: its class, labels, or target in raw units."""
    data, y = subject.data, subject.data.train.y

    def text(index: int) -> str:
        if data.task.kind == "regression":
            raw = data.target_scaling.undo(y[index : index + 1])[0].tolist()
            return ", ".join(f"{value:.4g}" for value in raw)
        if data.task.kind == "multilabel":
            labels = zip(data.task.classes, y[index].tolist(), strict=True)
            return "+".join(name for name, on in labels if on) or "none"
        return data.task.classes[int(y[index])]

    return text


def _sample_groups(
    subject: Subject, activations: UnitActivations, unit: int
) -> tuple[SampleGroup, ...]:
    y, task = subject.data.train.y.cpu(), subject.data.task
    members: list[tuple[str, Tensor]]
    if task.kind == "regression":
        order = y[:, 0].argsort(stable=True)
        raw = subject.data.target_scaling.undo(y)[:, 0]
        members = [
            (f"{raw[part[0]]:.4g} to {raw[part[-1]]:.4g}", part)
            for part in order.chunk(min(TARGET_RANGES, len(order)))
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
    groups = [
        SampleGroup(
            name,
            len(rows),
            float(activations.values[rows, unit].mean()),
            float(activations.on[rows, unit].double().mean()),
        )
        for name, rows in members
        if len(rows)
    ]
    if task.kind != "regression":
        groups.sort(key=lambda group: -group.mean)
    return tuple(groups)


def _twin_units(layer: LocatedLayer, activations: UnitActivations, unit: int) -> TwinUnits | None:
    """The units with its weights and bias, up to rounding; else with those times -1; else those
    whose activation goes with its own.
    """
    if layer.units < 2:
        return None
    rows = layer.module.weight.detach().flatten(1)
    if layer.module.bias is not None:
        rows = torch.cat([rows, layer.module.bias.detach()[:, None]], 1)
    others = torch.arange(layer.units) != unit
    tolerance = EQUAL_WEIGHTS * float(rows[unit].abs().max())
    for how, sign in (("the same weights", 1), ("the opposite weights", -1)):
        twins = ((rows - sign * rows[unit]).abs().amax(1) <= tolerance) & others
        if twins.any():
            return TwinUnits(tuple(torch.nonzero(twins)[:, 0].tolist()), how, float(sign))
    centred = activations.values.double() - activations.values.double().mean(0)
    lengths = centred.norm(dim=0)
    correlations = (centred.T @ centred[:, unit]) / (lengths * lengths[unit]).clamp_min(1e-30)
    correlations[(lengths <= 1e-12) | ~others] = 0
    twins = correlations.abs() >= EQUAL_ACTIVATION
    if not twins.any():
        return None
    best = correlations[twins][correlations[twins].abs().argmax()]
    return TwinUnits(tuple(torch.nonzero(twins)[:, 0].tolist()), "the same activation", float(best))


def _metrics_with_and_without(
    subject: Subject, network: nn.Module, layer: LocatedLayer, unit: int
) -> tuple[dict[str, float], dict[str, float]]:
    """The validation metrics with the unit, and with 0 in the place of its activation."""
    x, y = subject.part("valid")[0], subject.data.valid.y

    def metrics(predict: Callable[[Tensor], Tensor]) -> dict[str, float]:
        outputs = torch.cat([predict(piece) for piece in x.split(CHUNK_SIZE)])
        values = measure(outputs, y, subject.loss, subject.output)
        return {name: value for name, value in values.items() if name != "by_class"}

    with torch.no_grad():
        whole = metrics(network)
        with without_unit(network, layer, unit) as predict:
            return whole, metrics(predict)
