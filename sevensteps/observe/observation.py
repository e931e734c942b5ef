"""What was observed of one training: looks, losses, the network's facts, and some samples."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

import safetensors.torch
import torch
from jaxtyping import Float64
from torch import Tensor

from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.look import Change, Look, Signal
from sevensteps.observe.loss_graph import LossGraph, Operation
from sevensteps.observe.network_facts import NetworkFacts

# What a look pins in memory is more than its few numbers: they lie between batches long freed.
MAX_LOOKS = 48
# losses, and learning rates, one by one; of longer trainings every second, fourth, … one
MAX_LOSSES = 4096
MAX_SAMPLES = 1024
# names that the run folder has for fields of a `Look`, where they are others
FILE_NAMES = {"leftover_gradient": "left", "output_gradient": "slope"}
LOOK_RECORDS: dict[str, Any] = {"calls": Call, "loss_terms": LossTerm}
LOOK_TENSORS = ("output", "target", "output_gradient")


@dataclass
class Observation:
    """What was observed of one training.

    `losses` are (step, loss) of every step, thinned out when there are many; `rates` (step,
    learning rate of the first optimizer group) wherever it changed; `x`, `y` some of the samples.
    `notes` may have "loss" (its name, in a training of `ss.train`), "first_not_finite" (a step) and
    "evaluations_training" (how many evaluations ran in training mode).
    """

    facts: NetworkFacts
    looks: list[Look] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)
    rates: list[tuple[int, float]] = field(default_factory=list)
    graph: LossGraph | None = None
    x: Tensor | None = None
    y: Tensor | None = None
    steps: int = 0
    seconds: float = 0.0
    watching_seconds: float = 0.0  # of `seconds`
    notes: dict[str, Any] = field(default_factory=dict)
    _every: int = 1  # of the losses, which ones are recorded

    def record_loss(self, step: int, loss: float) -> bool:
        """Record the loss of one step. Returns whether it is finite."""
        finite = math.isfinite(loss)
        if step % self._every and finite:
            return True
        self.losses.append((step, loss))
        if len(self.losses) > MAX_LOSSES:
            self._every *= 2
            self.losses = [(s, value) for s, value in self.losses if s % self._every == 0]
        return finite

    def record_losses(self, first: int, losses: Float64[Tensor, "K"]) -> None:
        """`record_loss` for each step from `first` on; all losses are finite."""
        step, end = first, first + len(losses)
        while step < end:
            step += -step % self._every
            room = MAX_LOSSES + 1 - len(self.losses)
            values = losses[step - first :: self._every][:room].tolist()
            steps = range(step, step + len(values) * self._every, self._every)
            self.losses.extend(zip(steps, values, strict=True))
            step += len(values) * self._every
            if len(self.losses) > MAX_LOSSES:
                self._every *= 2
                self.losses = [(s, value) for s, value in self.losses if s % self._every == 0]

    def record_rates(self, first: int, rates: Float64[Tensor, "K"]) -> None:
        """`record_rate` for each step from `first` on."""
        last = self.rates[-1][1] if self.rates else math.nan
        changed = rates != torch.cat((rates.new_tensor([last]), rates[:-1]))
        steps = changed.nonzero().flatten()
        pairs = list(zip((steps + first).tolist(), rates[steps].tolist(), strict=True))
        while pairs:
            room = MAX_LOSSES + 1 - len(self.rates)
            self.rates += pairs[:room]
            pairs = pairs[room:]
            if len(self.rates) > MAX_LOSSES:
                del self.rates[1::2]

    def record_rate(self, step: int, lr: float) -> None:
        """Record the learning rate of one step, if it is not that of the step before."""
        if not self.rates or self.rates[-1][1] != lr:
            self.rates.append((step, lr))
        if len(self.rates) > MAX_LOSSES:
            del self.rates[1::2]

    def add_look(self, look: Look) -> None:
        """Add a look; where there are more than `MAX_LOOKS`, drop every second of the older
        ones.
        """
        self.looks.append(look)
        if len(self.looks) > MAX_LOOKS:
            self.looks[8 : MAX_LOOKS // 2] = self.looks[8 : MAX_LOOKS // 2 : 2]

    def add_samples(self, x: Any, y: Any) -> None:
        """Add rows of one batch to the samples, until there are `MAX_SAMPLES` or 16 MB of them."""
        if not (
            isinstance(x, Tensor)
            and isinstance(y, Tensor)
            and x.ndim
            and y.ndim
            and len(x) == len(y)
            and x.numel()
        ):
            return
        have = 0 if self.x is None else len(self.x)
        room = min(MAX_SAMPLES, 4_000_000 // max(x.numel() // len(x), 1)) - have
        count = min(room, max(64, MAX_SAMPLES // 8))
        if count <= 0:
            return
        new_x, new_y = (t.detach()[:count].to("cpu", copy=True) for t in (x, y))
        if self.x is None or self.y is None:
            self.x, self.y = new_x, new_y
        elif new_x.shape[1:] == self.x.shape[1:] and new_y.shape[1:] == self.y.shape[1:]:
            self.x, self.y = torch.cat([self.x, new_x]), torch.cat([self.y, new_y])

    def to_dict(self) -> dict[str, Any]:
        """Everything but looks and samples, as JSON can hold it."""
        graph = self.graph
        return {
            "facts": self.facts.to_dict(),
            "losses": self.losses,
            "rates": self.rates,
            "steps": self.steps,
            "seconds": self.seconds,
            "spent": self.watching_seconds,
            "notes": self.notes,
            "graph": graph
            and {
                "head": [dataclasses.astuple(operation) for operation in graph.operations],
                "outside": graph.after_output,
                "whole": graph.complete,
                "reached": sorted(graph.reached),
            },
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Observation:
        """The observation that `to_dict` wrote, still without looks and samples.

        Raises `KeyError`, `TypeError` or `ValueError` for anything else.
        """
        graph = record["graph"] and LossGraph(
            tuple(Operation(*operation) for operation in record["graph"]["head"]),
            record["graph"]["outside"],
            frozenset(record["graph"]["reached"]),
            record["graph"]["whole"],
        )
        losses = [
            (int(step), math.nan if loss is None else float(loss))
            for step, loss in record["losses"]
        ]
        return cls(
            NetworkFacts.from_dict(record["facts"]),
            losses=losses,
            graph=graph,
            notes=record["notes"],
            rates=[(int(step), float(lr)) for step, lr in record["rates"]],
            steps=record["steps"],
            seconds=record["seconds"],
            watching_seconds=record["spent"],
        )


def serialize_look(look: Look) -> tuple[str, bytes]:
    """One look as JSON text and as safetensors bytes."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {
        FILE_NAMES.get(f.name, f.name): getattr(look, f.name)
        for f in dataclasses.fields(look)
        if f.name not in ("signals", "changes", *LOOK_TENSORS, *LOOK_RECORDS)
    }
    for name in LOOK_RECORDS:
        numbers[name] = [record.to_dict() for record in getattr(look, name)]
    for name in LOOK_TENSORS:
        if (tensor := getattr(look, name)) is not None:
            tensors[FILE_NAMES.get(name, name)] = tensor.contiguous()
    for group in ("signals", "changes"):
        numbers[group] = {}
        for index, (name, measured) in enumerate(getattr(look, group).items()):
            numbers[group][name] = {}
            for f in dataclasses.fields(measured):
                value = getattr(measured, f.name)
                if isinstance(value, Tensor):
                    tensors[f"{group}.{index}.{f.name}"] = value.detach().cpu().contiguous()
                elif value is not None:
                    numbers[group][name][f.name] = value
    return json.dumps(numbers), safetensors.torch.save(tensors)


def deserialize_look(text: str, content: bytes) -> Look:
    """The look that `serialize_look` wrote. Raises `ValueError`, `KeyError` or `TypeError` for
    anything else.
    """
    numbers = json.loads(text)
    try:
        tensors = safetensors.torch.load(content)
    except safetensors.SafetensorError as failure:
        raise ValueError(str(failure)) from None
    kinds: dict[str, Any] = {"signals": Signal, "changes": Change}
    for group, kind in kinds.items():
        for index, (name, scalars) in enumerate(numbers[group].items()):
            own = {
                key.rpartition(".")[2]: tensor
                for key, tensor in tensors.items()
                if key.startswith(f"{group}.{index}.")
            }
            numbers[group][name] = kind(**scalars, **own)
    numbers["lr"] = tuple(numbers["lr"])
    for name, record in LOOK_RECORDS.items():  # none in files of earlier versions
        numbers[name] = tuple(record.from_dict(one) for one in numbers.get(name, ()))
    numbers["shapes"] = {name: tuple(shape) for name, shape in numbers["shapes"].items()}
    for field_name, file_name in FILE_NAMES.items():
        if file_name in numbers:
            numbers[field_name] = numbers.pop(file_name)
    for name in LOOK_TENSORS:
        if (file_name := FILE_NAMES.get(name, name)) in tensors:
            numbers[name] = tensors[file_name]
    return Look(**numbers)
