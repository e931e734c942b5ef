"""A unit's life over the training: when it fired, fell silent and came back, and how its weights
grew.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.errors import Error
from sevensteps.explain.neuron.units import Place, answers, place
from sevensteps.explain.subject import Subject
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

PATIENCE = 10.0  # seconds of training that is repeated without being asked
SAMPLES = 1000  # on which a unit is seen in a training that is repeated
LOOKS = 48


@dataclass(frozen=True)
class Moment:
    """At `step`: the share of samples (and positions) at which the unit's sum was above 0, and the lengths of its weights and of the
    update in that step (None where training again did not look at it).
    """

    step: int
    firing: float
    weights: float | None
    update: float | None


@dataclass(frozen=True)
class Life:
    """`source` is "watched" (a few samples of the batch at each look), "trained again" (the same `samples` each time) or "" with `why`."""

    moments: tuple[Moment, ...]
    source: str
    samples: int | None = None
    same: bool | None = None  # whether training again came to the same weights, to the bit
    why: str = ""

    @property
    def events(self) -> tuple[tuple[int, str], ...]:
        """(step, "born" | "silent" | "revived"): first seen to fire where it did not at first, seen
        to be off, and to fire again.
        """
        found: list[tuple[int, str]] = []
        before: bool | None = None
        fired = False
        for moment in self.moments:
            on = moment.firing > 0
            if before is None:
                fired = on
            elif on != before:
                found.append((moment.step, "silent" if not on else "revived" if fired else "born"))
                fired = fired or on
            before = on
        return tuple(found)


def life(subject: Subject, where: Place, unit: int, again: bool | None) -> Life:
    """From what watching saw, or by training again: where asked for, or where nobody watched and it
    was short.
    """
    seconds = float(subject.summary.get("seconds") or 0.0)
    if not again and (watched := _watched(subject, where, unit)):
        return Life(tuple(watched), "watched")
    if again is False:
        return Life((), "", why="nobody watched this training")
    if again is None and seconds > PATIENCE:
        return Life(
            (),
            "",
            why="nobody watched this training; --again (again=True) repeats it, about "
            f"{seconds:.0f} s",
        )
    looking = Looking(subject, where.name, unit)
    try:
        training = subject.rerun([looking])
    except Error as failure:
        return Life(
            (), "", why=f"nobody watched this training, and it cannot be repeated: {failure}"
        )
    ended = training.network.state_dict()
    same = all(
        torch.equal(held.cpu(), ended[name].cpu())
        for name, held in subject.network.state_dict().items()
    )
    return Life(tuple(looking.moments), "trained again", len(looking.x), same)


def _watched(subject: Subject, where: Place, unit: int) -> list[Moment]:
    moments = []
    for look in subject.observation.looks if subject.observation is not None else ():
        signal, change = (
            look.signals.get(where.norm or where.name),
            look.changes.get(f"{where.name}.weight"),
        )
        if (
            signal is None and where.function.keeps_sign
        ):  # a look at a training of ours has a layer and its activation as one
            signal = look.signals.get(where.activation or "")
        if signal is None or len(signal.firing) <= unit:
            continue
        moments.append(
            Moment(
                look.step,
                float(signal.firing[unit]),
                _of(change.weight if change else None, unit),
                _of(change.update if change else None, unit),
            )
        )
    return moments


def _of(lengths: Tensor | None, unit: int) -> float | None:
    return float(lengths[unit]) if lengths is not None and len(lengths) > unit else None


class Looking(Observer):
    """Sees one unit on some training samples before the first step and after step 1, 2, 3, 4, 6, …, as many times in all as `LOOKS`."""

    def __init__(self, subject: Subject, layer: str, unit: int) -> None:
        self.layer, self.unit, self.moments, self.every = layer, unit, list[Moment](), 1
        part = subject.part("train")[0]
        self.x = part[:: -(-len(part) // SAMPLES)]

    def started(self, training: Training) -> None:
        self._look(training)

    def stepped(self, training: Training) -> None:
        if training.progress.step % self.every == 0:
            self._look(training)
            if len(self.moments) > LOOKS:
                self.every *= 2
                self.moments[1:] = [
                    moment for moment in self.moments[1:] if moment.step % self.every == 0
                ]

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        if self.moments[-1].step != training.progress.step:
            self._look(training)

    def _look(self, training: Training) -> None:
        network = (
            copy.deepcopy(training.network).cpu().eval()
        )  # a copy: batch norm and dropout mind being called
        where = place(network, self.layer, self.unit)
        on = answers(network, where, self.x, self.unit).on[:, self.unit]
        length = float(where.module.weight.detach()[self.unit].norm())
        self.moments.append(Moment(training.progress.step, float(on.mean()), length, None))


def spread(moments: Sequence[Moment], count: int) -> list[Moment]:
    """At most `count` of them, evenly, the first and the last among them."""
    many = min(count, len(moments))
    return [moments[round(index * (len(moments) - 1) / max(many - 1, 1))] for index in range(many)]
