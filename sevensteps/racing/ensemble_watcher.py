"""Watching the members of a group together: one schedule of looks for all, and one pass over the
group's own tensors for each look, instead of a look of its own for each member.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sevensteps.engine.engine import LayerTrace
from sevensteps.observe.later import LazyDict
from sevensteps.observe.look import Change, Look, Signal
from sevensteps.observe.look_measures import (
    FULL_LOOK_NUMBERS,
    MAX_ROWS,
    count_distinct_rows,
    first_rows,
    measure_signals,
)
from sevensteps.observe.look_schedule import LookSchedule, step_size
from sevensteps.observe.observation import Observation
from sevensteps.observe.training_watcher import training_facts
from sevensteps.steps.step import Schedule

if TYPE_CHECKING:
    from sevensteps.training.state import Training

# numbers of parameters measured at once: of larger networks one member after another, so that a
# look takes little memory beside the networks
NUMBERS_AT_ONCE = 2_000_000
UNRECORDED = 256  # steps whose losses are recorded at once
SMALLEST_ROWS = 32  # of output and target in a look, however many members share the memory for them


@dataclass(eq=False)
class EnsembleTrace:
    """What one step of K networks computed: the tensors of a `LayerTrace` with the network as
    their first axis.

    `input` and `target` have that axis only where each network has a batch of its `own`.
    """

    trace: LayerTrace
    own: bool

    def batch(self, name: str, index: int) -> Tensor | None:
        """`input` or `target` of network `index`."""
        tensor: Tensor | None = getattr(self.trace, name)
        return tensor[index] if tensor is not None and self.own else tensor


@dataclass(eq=False)
class EnsembleWatcher:
    """Looks into all networks of a group at the steps of its one schedule.

    `observations` has one entry for each member, by its number. It only reads: no bit of a training
    depends on it.
    """

    time_share: float
    observations: dict[int, Observation] = field(default_factory=dict)
    schedule: LookSchedule = field(init=False)
    _watched: dict[int, Training] = field(default_factory=dict, init=False)  # in their order
    _losses: list[list[float]] = field(default_factory=list, init=False)  # not yet recorded
    _rates: list[list[float]] = field(default_factory=list, init=False)
    _before: Tensor | None = field(default=None, init=False)
    _preparing: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.schedule = LookSchedule(self.time_share)

    def begin(self, numbers: Sequence[int], trainings: Sequence[Training]) -> None:
        """The parameters of these members are initialised; no step has been taken."""
        for number, training in zip(numbers, trainings, strict=True):
            observation = Observation(training_facts(training))
            observation.notes["loss"] = repr(training.recipe.loss)
            self.observations[number] = observation
        self._watched = dict(zip(numbers, trainings, strict=True))
        self._scheduled = any(isinstance(t.recipe.step.lr, Schedule) for t in trainings)

    def is_due(self, step: int) -> bool:
        """Whether to look at `step`."""
        return self.schedule.is_due(step)

    def prepare(self, parameters: Tensor) -> None:
        """The step to come is looked at: remember the `parameters` [K, P] before it."""
        began = time.perf_counter()
        self._before = parameters.detach().clone()
        self._preparing = time.perf_counter() - began

    def note(self) -> None:
        """The members have taken a step, or have ended by a loss that is not finite."""
        watched = self._watched.values()
        self._losses.append([training.progress.loss for training in watched])
        if self._scheduled or len(self._losses) == 1:
            self._rates.append([training.progress.lr for training in watched])
        if len(self._losses) >= UNRECORDED:
            self._record()

    def _record(self) -> None:
        """Record the losses and learning rates of the last steps."""
        if not self._losses:
            return
        losses = torch.tensor(self._losses, dtype=torch.float64).T
        rates = torch.tensor(self._rates, dtype=torch.float64).T
        for (number, training), of_one, lr in zip(
            self._watched.items(), losses, rates, strict=True
        ):
            observation, step = self.observations[number], training.progress.step
            diverged = not math.isfinite(training.progress.loss)
            count = len(self._losses) - diverged
            observation.record_losses(step - count, of_one[:count])
            observation.record_rates(step - count, lr[:count])
        self._losses, self._rates = [], []

    def look(self, traced: EnsembleTrace, parameters: Tensor, gradients: Tensor) -> None:
        """Look at the step that the members have just taken, whose rows in `parameters` and
        `gradients` [K, P] are in their order.
        """
        began, before = time.perf_counter(), self._before
        assert before is not None
        self._before = None
        numbers, trainings = list(self._watched), list(self._watched.values())
        count, step = len(trainings), max(training.progress.step for training in trainings) - 1
        shared = self.observations[numbers[0]]
        facts = shared.facts
        full = self.schedule.is_full(step)
        outputs = {name: [tuple(y.shape[1:])] for name, y in traced.trace.outputs.items()}
        self.schedule.set_size(step_size(facts, outputs, count))
        signals = _signals(traced.trace, facts.layers, count, full)
        slices = trainings[0].engine.slices
        changes = _changes(parameters.detach(), gradients, before, slices, full)
        rows = max(SMALLEST_ROWS, MAX_ROWS // count)
        output = _rows(traced.trace.output, rows)
        slope = _rows(traced.trace.output_gradient, rows)
        targets = [traced.batch("target", index) for index in range(count if traced.own else 1)]
        target = [None if t is None else first_rows(t[:rows]) for t in targets]
        shapes = {
            name: tuple(tensor.shape)
            for name in ("input", "target")
            if (tensor := traced.batch(name, 0)) is not None
        }
        if traced.trace.output is not None:
            shapes["output"] = tuple(traced.trace.output.shape[1:])
        shared.add_samples(traced.batch("input", 0), traced.batch("target", 0))
        for index, (number, training) in enumerate(zip(numbers, trainings, strict=True)):
            observation, progress = self.observations[number], training.progress
            observation.x, observation.y = shared.x, shared.y
            if not math.isfinite(progress.loss):
                continue  # it took no step
            observation.add_look(
                Look(
                    step,
                    progress.loss,
                    lr=(progress.lr,),
                    batch=shapes.get("input", (0,))[0],
                    training=training.network.training,
                    leftover_gradient=0.0,
                    seconds=progress.seconds,
                    signals=signals[index],
                    changes=changes[index],
                    output=None if output is None else output[index],
                    output_gradient=None if slope is None else slope[index],
                    target=target[index if traced.own else 0],
                    shapes=dict(shapes),
                )
            )
        seconds = time.perf_counter() - began + self._preparing
        elapsed = sum(training.progress.seconds for training in trainings)
        self.schedule.record_look(step, seconds, elapsed + self.schedule.looking_seconds)
        self.schedule.looking_seconds += seconds
        for number in numbers:
            self.observations[number].watching_seconds += seconds / count

    def end(self, leaving: Mapping[int, Training]) -> None:
        """These members have ended."""
        self._record()
        for number, training in leaving.items():
            observation, progress = self.observations[number], training.progress
            observation.steps = progress.step
            observation.seconds = progress.seconds + observation.watching_seconds
            if self.schedule.thinned is not None:
                observation.notes["thinned"] = self.schedule.thinned
            if progress.step and not math.isfinite(progress.loss):
                observation.record_loss(progress.step, progress.loss)
                observation.notes["first_not_finite"] = progress.step
            del self._watched[number]


def _rows(tensor: Tensor | None, rows: int) -> Tensor | None:
    """A copy of the first rows of each network's batch, [K, rows, …], on the CPU."""
    if tensor is None:
        return None
    each = max(tensor.numel() // max(tensor.shape[0] * tensor.shape[1], 1), 1)
    rows = max(1, min(rows, FULL_LOOK_NUMBERS // each))
    return tensor.detach()[:, :rows].to("cpu", copy=True).contiguous()


def _signals(
    trace: LayerTrace, layers: Mapping[str, object], count: int, full: bool
) -> list[Mapping[str, Signal]]:
    """The signals of each network: all layers of one shape, of all networks, measured at once."""
    calls, facts = {}, {}
    for name, y in trace.outputs.items():
        if name not in layers:
            continue
        slopes = trace.output_gradients.get(name)
        for index in range(count):
            key = f"{index}:{name}"
            calls[key] = ([y[index]], [] if slopes is None else [slopes[index]])
            facts[key] = layers[name]
    measured = measure_signals(calls, facts, full)  # type: ignore[arg-type]

    def of_network(index: int) -> Mapping[str, Signal]:
        return LazyDict(
            lambda: {
                name: measured[key]
                for name in trace_names
                if (key := f"{index}:{name}") in measured
            }
        )

    trace_names = list(trace.outputs)
    return [of_network(index) for index in range(count)]


def _changes(
    now: Tensor,
    gradients: Tensor,
    before: Tensor,
    slices: Mapping[str, tuple[slice, tuple[int, ...]]],
    full: bool,
) -> list[Mapping[str, Change]]:
    """What one step did to the parameters [K, P] of each network: as many networks at once as take
    little memory.
    """
    size = max(1, NUMBERS_AT_ONCE // max(now.shape[1], 1))
    changes: list[Mapping[str, Change]] = []
    for start in range(0, len(now), size):
        rows = slice(start, start + size)
        vectors = torch.stack([now[rows], gradients[rows], now[rows] - before[rows]])
        matrices = {
            name: vectors[:, :, columns].unflatten(2, (shape[0] if len(shape) > 1 else 1, -1))
            for name, (columns, shape) in slices.items()
        }
        norms = {name: torch.linalg.vector_norm(rows, dim=3) for name, rows in matrices.items()}
        for index in range(vectors.shape[1]):
            distinct = (
                {
                    name: count_distinct_rows(rows[0, index])
                    for name, rows in matrices.items()
                    if rows.shape[2] > 1
                }
                if full
                else {}
            )
            changes.append(_lazy_changes(norms, index, distinct))
    return changes


def _lazy_changes(
    norms: Mapping[str, Tensor], index: int, distinct: Mapping[str, int]
) -> Mapping[str, Change]:
    return LazyDict(
        lambda: {
            name: Change(norm[0, index], norm[1, index], norm[2, index], distinct.get(name))
            for name, norm in norms.items()
        }
    )
