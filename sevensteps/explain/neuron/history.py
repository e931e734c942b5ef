"""A unit over the training: when it fired, fell silent and came back, and how its weights grew."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.errors import Error
from sevensteps.explain.neuron.units import LocatedLayer, locate_layer, unit_activations
from sevensteps.explain.subject import Subject
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

MAX_REPEAT_SECONDS = 10.0  # of a training that is repeated although nobody asked for it
MAX_SAMPLES = 1000  # on which a unit is looked at in a training that is repeated
MAX_MOMENTS = 48


@dataclass(frozen=True)
class UnitMoment:
    """A unit at `step`: `firing` is the share of samples (and positions) at which its sum was above
    0; `weights` and `update` are the lengths of its weights and of what the step changed in them,
    None where they are not known.
    """

    step: int
    firing: float
    weights: float | None
    update: float | None


@dataclass(frozen=True)
class UnitHistory:
    """A unit over the training.

    `source` is "watched" (at each look, on a few samples of the batch), "trained again" (each time
    on the same `samples`), or "" where nothing is known; `why` then says why. `same` says whether
    the training that was repeated came to the same weights, to the bit.
    """

    moments: tuple[UnitMoment, ...]
    source: str
    samples: int | None = None
    same: bool | None = None
    why: str = ""

    @property
    def events(self) -> tuple[tuple[int, str], ...]:
        """(step, "born" | "silent" | "revived"): first seen to fire where it did not at first, seen
        to be off, and to fire again.
        """
        events: list[tuple[int, str]] = []
        was_on: bool | None = None
        ever_on = False
        for moment in self.moments:
            on = moment.firing > 0
            if was_on is None:
                ever_on = on
            elif on != was_on:
                name = "silent" if not on else "revived" if ever_on else "born"
                events.append((moment.step, name))
                ever_on = ever_on or on
            was_on = on
        return tuple(events)


def unit_history(
    subject: Subject, layer: LocatedLayer, unit: int, again: bool | None
) -> UnitHistory:
    """The history of a unit, from the looks of the training or by training again.

    `again` says whether to train again; None does so where nobody watched and the training was
    short.
    """
    seconds = subject.summary.seconds or 0.0
    if not again and (moments := _moments_of_looks(subject, layer, unit)):
        return UnitHistory(tuple(moments), "watched")
    unwatched = "this training was not watched"
    if again is False:
        return UnitHistory((), "", why=unwatched)
    if again is None and seconds > MAX_REPEAT_SECONDS:
        return UnitHistory(
            (),
            "",
            why=f"{unwatched}; --again (again=True) repeats it, which takes about {seconds:.0f} s",
        )
    observer = UnitObserver(subject, layer.name, unit)
    try:
        training = subject.rerun([observer])
    except Error as failure:
        return UnitHistory((), "", why=f"{unwatched}, and it cannot be repeated: {failure}")
    repeated = training.network.state_dict()
    same = all(
        torch.equal(tensor.cpu(), repeated[name].cpu())
        for name, tensor in subject.network.state_dict().items()
    )
    return UnitHistory(tuple(observer.moments), "trained again", len(observer.x), same)


def _moments_of_looks(subject: Subject, layer: LocatedLayer, unit: int) -> list[UnitMoment]:
    moments = []
    for look in subject.observation.looks if subject.observation is not None else ():
        signal = look.signals.get(layer.norm or layer.name)
        change = look.changes.get(f"{layer.name}.weight")
        # looks at a training of `ss.train` may have a layer and its activation as one
        if signal is None and layer.function.keeps_sign:
            signal = look.signals.get(layer.activation or "")
        if signal is None or len(signal.firing) <= unit:
            continue
        moments.append(
            UnitMoment(
                look.step,
                float(signal.firing[unit]),
                _number_at(change.weight if change else None, unit),
                _number_at(change.update if change else None, unit),
            )
        )
    return moments


def _number_at(numbers: Tensor | None, unit: int) -> float | None:
    return float(numbers[unit]) if numbers is not None and len(numbers) > unit else None


class UnitObserver(Observer):
    """Looks at one unit on some training samples before the first step and after steps 1, 2, 3, 4,
    6, …, at most about `MAX_MOMENTS` times in all.
    """

    def __init__(self, subject: Subject, layer: str, unit: int) -> None:
        self.layer, self.unit, self.moments, self._every = layer, unit, list[UnitMoment](), 1
        part = subject.part("train")[0]
        self.x = part[:: -(-len(part) // MAX_SAMPLES)]

    def started(self, training: Training) -> None:
        self._look(training)

    def stepped(self, training: Training) -> None:
        if training.progress.step % self._every == 0:
            self._look(training)
            if len(self.moments) > MAX_MOMENTS:
                self._every *= 2
                self.moments[1:] = [
                    moment for moment in self.moments[1:] if moment.step % self._every == 0
                ]

    def free_steps(self, training: Training) -> int:
        return self._every - training.progress.step % self._every

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        if self.moments[-1].step != training.progress.step:
            self._look(training)

    def _look(self, training: Training) -> None:
        # of a copy, because a call changes batch norm and the state of dropout
        network = copy.deepcopy(training.network).cpu().eval()
        layer = locate_layer(network, self.layer, self.unit)
        on = unit_activations(network, layer, self.x, self.unit).on[:, self.unit]
        length = float(layer.module.weight.detach()[self.unit].norm())
        self.moments.append(UnitMoment(training.progress.step, float(on.mean()), length, None))


def evenly_spread(moments: Sequence[UnitMoment], limit: int) -> list[UnitMoment]:
    """At most `limit` of the moments, evenly spread, the first and the last among them."""
    count = min(limit, len(moments))
    return [
        moments[round(index * (len(moments) - 1) / max(count - 1, 1))] for index in range(count)
    ]
