"""Which steps are looked at: it follows from sizes and step numbers, so that the same training is
looked at in the same steps on any machine, busy or not.

After the first looks the distances grow by a constant factor, up to the distance at which looks
take their share of the time. Of a network that takes long to look at, as one of many small layers,
the first looks are fewer and the factor is larger. What a step and a look take is estimated from
sizes. Only where looks take far more than that are they thinned out, by the clock, and `thinned`
says so.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sevensteps.arguments import number
from sevensteps.observe.network_facts import NetworkFacts

# at the very first steps, where most faults show: of networks with looks that cost little, and of
# those whose distances have to grow by more than `USUAL_GROWTH`
FIRST_LOOKS, FEW_LOOKS = 5, 3
# of the distance from the start, from look to look
LEAST_GROWTH, USUAL_GROWTH, MOST_GROWTH = 1.25, 2.0, 3.0
# beyond this step, a training that had to grow at the most grows at this: a short one needs its few
# looks, a longer one has had enough of them to judge by until the regular ones
LATE_STEP, LATE_GROWTH = 300, 4.0
# share of the budget that regular looks take; the rest is for what is noted at every step, and for
# machines that the estimate does not suit
LOOKING_SHARE = 0.4
# that looks may take beyond their share before they become regular; distances may grow by no more
# than `USUAL_GROWTH` up to the second number
EARLY_SECONDS, MOST_SECONDS = 0.012, 0.045
# distances vary by this share, or looks could fall on every fourth step of four that accumulate
JITTER, GOLDEN_RATIO = 0.25, (math.sqrt(5) - 1) / 2
FULL_EVERY = 8  # looks; besides, the first look after each power of two is full
# looks that take so many times the planned share of the time, and so many seconds, are thinned out
THINNED_TIMES, THINNED_SECONDS = 4.0, 2.0

# Microseconds: of a step, and of a look beyond it. Chosen so that their ratio, which hangs less on
# the machine than they do, is that measured on the networks of `benchmarks/doctor/cost_loops.py`,
# or more: two threads of an AMD EPYC (family 25, model 17).
STEP, STEP_LAYER, STEP_TENSOR, STEP_NUMBER, STEP_PRODUCT = 100.0, 30.0, 6.0, 1e-3, 4e-5
LOOK, LOOK_LAYER, LOOK_TENSOR, LOOK_PARAMETER, LOOK_NUMBER = 900.0, 210.0, 80.0, 5e-3, 5e-3
MOST_NUMBERS = 600_000  # of those that layers gave, a look reads no more


@dataclass(frozen=True)
class StepSize:
    """How much a step computes: calls of `layers`, `tensors` of parameters and the `parameters` in
    them, `numbers` that layers gave, and `products` of weights in one forward pass; `largest` are
    the numbers that one layer gave at most.
    """

    layers: int
    tensors: int
    parameters: int
    numbers: int
    products: float
    largest: int = 0

    def step_seconds(self) -> float:
        """What a step takes, forward and backward, about."""
        return 1e-6 * (
            STEP
            + STEP_LAYER * self.layers
            + STEP_TENSOR * self.tensors
            + STEP_NUMBER * self.numbers
            + STEP_PRODUCT * self.products
        )

    def look_seconds(self) -> float:
        """By how much a look makes its step longer, about."""
        return 1e-6 * (
            LOOK
            + LOOK_LAYER * self.layers
            + LOOK_TENSOR * self.tensors
            + LOOK_PARAMETER * self.parameters
            + LOOK_NUMBER * min(self.numbers, MOST_NUMBERS)
        )


def step_size(
    facts: NetworkFacts, outputs: Mapping[str, Iterable[tuple[int, ...]]], networks: int = 1
) -> StepSize:
    """The size of a step from the shapes of what each layer gave in it; of several `networks` that
    are trained as one, from those of one.
    """
    calls = numbers = largest = 0
    products = 0.0
    for name, shapes in outputs.items():
        layer = facts.layers.get(name)
        matrices = 0
        if layer is not None and layer.kind not in ("Embedding", "EmbeddingBag"):
            own = (facts.parameters[p].shape for p in layer.parameters if p in facts.parameters)
            matrices = sum(math.prod(shape) for shape in own if len(shape) > 1)
        for shape in shapes:
            calls += 1
            count = math.prod(shape)
            numbers += count
            largest = max(largest, count)
            if matrices and shape:
                axis = layer.axis if layer is not None and layer.axis < len(shape) else -1
                products += matrices * count / max(shape[axis], 1)
    trained = [p for p in facts.parameters.values() if p.trained]
    return StepSize(
        calls,
        len(trained),
        networks * sum(math.prod(p.shape) for p in trained),
        networks * numbers,
        networks * products,
        largest,
    )


class LookSchedule:
    """Decides which steps to look at, so that looking takes at most about `budget` of the time.

    1 looks at every step, 0 at none. `looks` counts them; `thinned` is the step from which on they
    are fewer than planned, because the clock said so, else None. Raises `ArgumentError` for a
    budget below 0 or above 1.
    """

    def __init__(self, budget: float) -> None:
        self.budget = number("budget", budget, at_least=0, at_most=1)
        self.looks = 0
        self.next_step = 0 if self.budget else sys.maxsize
        self.looking_seconds = 0.0  # by the clock
        self.noting_seconds = 0.0  # of what is noted at every step, looked at or not
        self.look_seconds = 0.0  # of one look, lately
        self.thinned: int | None = None
        self._growth = MOST_GROWTH
        self._first = FIRST_LOOKS
        self._distance = self._planned_distance = math.inf  # of regular looks, in steps
        self._last_full = -1
        self._sized = False

    def set_size(self, size: StepSize, step_factor: float = 1.0, look_factor: float = 1.0) -> None:
        """Plan for steps of this size, once; the factors are for engines whose steps, or looks,
        take another time than those of a plain loop.
        """
        if self._sized or not 0 < self.budget < 1:
            return
        self._sized = True
        step = step_factor * size.step_seconds()
        look = look_factor * size.look_seconds()
        self._distance = max(look / (LOOKING_SHARE * self.budget * step), 1.0)
        self._planned_distance = self._distance
        share = self.budget / 0.02 / look
        self._growth = growth(self._distance, EARLY_SECONDS * share, MOST_SECONDS * share)
        self._first = first_looks(self._growth)

    def is_due(self, step: int) -> bool:
        """Whether to look at `step`."""
        return step >= self.next_step

    def steps_until_due(self, step: int) -> int:
        """How many steps from `step` on are not looked at."""
        return max(self.next_step - step, 0)

    def is_full(self, step: int) -> bool:
        """Whether the look at `step` measures what takes longer, too."""
        return (
            self._last_full < 0
            or (step + 1).bit_length() > (self._last_full + 1).bit_length()
            or (self.budget < 1 and self.looks % FULL_EVERY == 0)
        )

    def look_next(self, step: int) -> None:
        """Look at `step`, whatever was planned: something has happened."""
        if self.budget:
            self.next_step = min(self.next_step, step)

    def record_look(self, step: int, seconds: float, elapsed: float) -> None:
        """Note that the look at `step` took `seconds`, `elapsed` seconds after the start, and plan
        the next one. The caller adds the seconds to `looking_seconds`.
        """
        if self.is_full(step):
            self._last_full = step
        self.looks += 1
        self.look_seconds = (
            seconds if not self.look_seconds else 0.7 * self.look_seconds + 0.3 * seconds
        )
        self.next_step = step + 1
        if self.budget == 1 or self.looks < self._first:
            return
        self._thin(step, elapsed)
        regular = self._distance * (1 + JITTER * (2 * (self.looks * GOLDEN_RATIO % 1.0) - 1))
        late = step >= LATE_STEP and self._growth >= USUAL_GROWTH
        growing = (step + 1) * ((LATE_GROWTH if late else self._growth) - 1)
        self.next_step = step + max(1, round(min(growing, regular)))

    def _thin(self, step: int, elapsed: float) -> None:
        """Double the distances where looks take a far larger share of the time than planned."""
        steps = self.looks * self._planned_distance / (step + 1)
        planned = self.budget * max(LOOKING_SHARE * steps, 1.0) * (elapsed - self.looking_seconds)
        if self.looking_seconds > max(THINNED_TIMES * planned, THINNED_SECONDS):
            if self.thinned is None:
                self.thinned = step + 1
            self._distance = 2 * min(self._distance, step + 1)
            self._growth = MOST_GROWTH


def growth(distance: float, early_looks: float, most_looks: float) -> float:
    """The least factor between looks with which they reach their regular `distance`, in steps,
    after at most `early_looks` more than regular ones would have been by then; the usual one, where
    that takes no more than `most_looks`.
    """
    factor = LEAST_GROWTH
    while factor < MOST_GROWTH:
        reached = distance / (factor - 1)  # the step where growing distances become regular
        first = first_looks(factor)
        growing = max(math.log(max(reached, first) / first) / math.log(factor), 0.0)
        allowed = early_looks if factor < USUAL_GROWTH else most_looks
        if first + growing - reached / distance <= allowed:
            break
        factor = round(factor + 0.05, 2)
    return min(factor, MOST_GROWTH)


def first_looks(factor: float) -> int:
    """How many of the very first steps are looked at, where distances then grow by this factor."""
    return FIRST_LOOKS if factor <= USUAL_GROWTH else FEW_LOOKS
