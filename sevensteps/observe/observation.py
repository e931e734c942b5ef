"""All that watching saw of one training: looks, losses, the network's facts, and a few of its
samples.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from sevensteps.observe.graph import Graph, Op
from sevensteps.observe.look import Change, Look, Signal
from sevensteps.observe.network_facts import Facts

# looks kept: what a look pins in memory is more than its few numbers, since they lie between
# batches long freed
LOOKS = 48
# losses, and learning rates, kept one by one; of longer trainings every second, fourth, … one
LOSSES = 4096


@dataclass
class Observed:
    """What was seen. `losses` are (step, loss) of every step, thinned out when there are many; `rates` (step, learning rate of the first
    group) wherever it changed; `x`, `y` samples that went through.

    `notes` holds what has no number: "loss" (its name, in a training of ours), "first_not_finite"
    (a step), "evaluations_training"."""

    facts: Facts
    looks: list[Look] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)
    rates: list[tuple[int, float]] = field(default_factory=list)
    graph: Graph | None = None
    x: Tensor | None = None
    y: Tensor | None = None
    steps: int = 0
    seconds: float = 0.0
    spent: float = 0.0  # seconds of watching
    notes: dict[str, Any] = field(default_factory=dict)
    _every: int = 1

    def loss(self, step: int, loss: float) -> bool:
        """Keep the loss of one step. Returns whether it is finite."""
        finite = math.isfinite(loss)
        if step % self._every and finite:
            return True
        self.losses.append((step, loss))
        if len(self.losses) > LOSSES:
            self._every *= 2
            self.losses = [(s, value) for s, value in self.losses if s % self._every == 0]
        return finite

    def rate(self, step: int, lr: float) -> None:
        """Keep the learning rate of one step, if it is not that of the last."""
        if not self.rates or self.rates[-1][1] != lr:
            self.rates.append((step, lr))
        if len(self.rates) > LOSSES:
            del self.rates[1::2]


def thin(looks: list[Look]) -> None:
    """Where there are more than `LOOKS`, drop every second of the older ones."""
    if len(looks) > LOOKS:
        looks[8 : LOOKS // 2] = looks[8 : LOOKS // 2 : 2]


def pack(look: Look) -> tuple[str, bytes]:
    """One look as JSON text and as safetensors bytes."""
    tensors: dict[str, Tensor] = {}
    plain = {
        f.name: getattr(look, f.name)
        for f in dataclasses.fields(look)
        if f.name not in ("signals", "changes", "output", "target", "slope")
    }
    for name in ("output", "target", "slope"):
        if (tensor := getattr(look, name)) is not None:
            tensors[name] = tensor.contiguous()
    for group in ("signals", "changes"):
        held = getattr(look, group)
        plain[group] = {}
        for index, (name, part) in enumerate(held.items()):
            plain[group][name] = numbers = {}
            for f in dataclasses.fields(part):
                value = getattr(part, f.name)
                if isinstance(value, Tensor):
                    tensors[f"{group}.{index}.{f.name}"] = value.detach().cpu().contiguous()
                elif value is not None:
                    numbers[f.name] = value
    return json.dumps(plain), safetensors.torch.save(tensors)


def unpack(text: str, content: bytes) -> Look:
    """The look that `pack` gave. Raises `ValueError`, `KeyError` or `TypeError` for anything
    else.
    """
    plain = json.loads(text)
    try:
        tensors = safetensors.torch.load(content)
    except safetensors.SafetensorError as failure:
        raise ValueError(str(failure)) from None
    kinds: dict[str, Any] = {"signals": Signal, "changes": Change}
    for group, kind in kinds.items():
        for index, (name, numbers) in enumerate(plain[group].items()):
            own = {
                key.rpartition(".")[2]: tensor
                for key, tensor in tensors.items()
                if key.startswith(f"{group}.{index}.")
            }
            plain[group][name] = kind(**numbers, **own)
    shapes = {name: tuple(shape) for name, shape in plain.pop("shapes").items()}
    whole = {name: tensors[name] for name in ("output", "target", "slope") if name in tensors}
    return Look(**{**plain, "lr": tuple(plain["lr"]), "shapes": shapes, **whole})


def to_dict(observed: Observed) -> dict[str, Any]:
    """All but looks and samples, as JSON can hold it."""
    graph = observed.graph
    return {
        "facts": observed.facts.to_dict(),
        "losses": observed.losses,
        "rates": observed.rates,
        "steps": observed.steps,
        "seconds": observed.seconds,
        "spent": observed.spent,
        "notes": observed.notes,
        "graph": graph
        and {
            "head": [dataclasses.astuple(op) for op in graph.head],
            "outside": graph.outside,
            "whole": graph.whole,
            "reached": sorted(graph.reached),
        },
    }


def from_dict(held: dict[str, Any]) -> Observed:
    """What `to_dict` gave, still without looks and samples."""
    graph = held["graph"] and Graph(
        tuple(Op(*op) for op in held["graph"]["head"]),
        held["graph"]["outside"],
        frozenset(held["graph"]["reached"]),
        held["graph"]["whole"],
    )
    losses = [
        (int(step), math.nan if loss is None else float(loss)) for step, loss in held["losses"]
    ]
    return Observed(
        Facts.from_dict(held["facts"]),
        losses=losses,
        graph=graph,
        notes=held["notes"],
        rates=[(int(step), float(lr)) for step, lr in held["rates"]],
        **{name: held[name] for name in ("steps", "seconds", "spent")},
    )


def keep_samples(observed: Observed, x: Any, y: Any, most: int = 1024) -> None:
    """Add rows of one batch to the kept samples, until there are `most` or 16 MB of them."""
    if not (
        isinstance(x, Tensor)
        and isinstance(y, Tensor)
        and x.ndim
        and y.ndim
        and len(x) == len(y)
        and x.numel()
    ):
        return
    have = 0 if observed.x is None else len(observed.x)
    room = min(most, 4_000_000 // max(x.numel() // len(x), 1)) - have
    some = min(room, max(64, most // 8))
    if some <= 0:
        return
    new = [t.detach()[:some].to("cpu", copy=True) for t in (x, y)]
    if observed.x is None or observed.y is None:
        observed.x, observed.y = new
    elif new[0].shape[1:] == observed.x.shape[1:] and new[1].shape[1:] == observed.y.shape[1:]:
        observed.x, observed.y = torch.cat([observed.x, new[0]]), torch.cat([observed.y, new[1]])
