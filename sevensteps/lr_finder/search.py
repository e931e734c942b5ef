"""The search for a learning rate: 32 rates on the same batches from the same start, fewer of them
for longer, and the best to the end.

Each stage is a race of its own, from the start, with the recipe's seed and everything but the rate
as in the recipe. Where all rates can be trained for all the steps of the recipe in some seconds,
they are. Else they go a sixteenth of the steps, and the best twelve a quarter (successive halving:
Jamieson, Talwalkar 2016). The best six at last go all the way one by one, to the bits that the
recipe comes to alone: near the edge a training may come to something else by another rounding. How
far how many go is told from the work, not from the clock, so that the same recipe has the same
answer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sevensteps.engine import matmul
from sevensteps.engine.parameters import multiplications
from sevensteps.errors import ArgumentError, Error
from sevensteps.lr_finder.rates import (
    Rate,
    Rates,
    best_window,
    classify,
    loss_ratio,
    most_robust_rate,
)
from sevensteps.lr_finder.stability import (
    describe_sharpness,
    largest_curvature,
    largest_stable_rate,
)
from sevensteps.racing import grouping
from sevensteps.racing.run import RaceState, prepare_race, run_race
from sevensteps.steps import stop as stops
from sevensteps.steps.gradient import perceptron_rule
from sevensteps.steps.step import Optimizer, Schedule, adagrad, cosine, sgd
from sevensteps.training import state, threads
from sevensteps.training.evaluation import evaluate
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import Settled, settle
from sevensteps.training.state import Training

COUNT = 32
# rates are 1, 1.5, 2.2, 3.2, 4.6, 6.8 and 10 times a power of ten; 32 of them span five decades
PER_DECADE = 6
# of them above the edge of stability 2/λ of the start: mini-batches and ReLUs let networks train
# some times above it
RATES_ABOVE_EDGE = 11
MIN_STEPS = 64  # steps below which a training is not cut short
# multiplications forward up to which all rates are trained for all steps: some ten seconds on two
# processors
MULTIPLICATIONS_OF_ALL = 6e10
MULTIPLICATIONS_AT_MOST = 4e11  # and above which the recipe is not trained to its end: minutes
MULTIPLICATIONS_OF_CALLS = (
    2e5  # multiplications that take as long as the calls of one network in a step
)
FINALISTS = 6
BYTES_AT_ONCE = (
    2e9  # for the networks of one race, their gradients, what optimizers keep, and the best of each
)
FURTHER_SEEDS = 2  # seeds at which the suggestion is trained again, beside its neighbours
SHIFTS = 4  # times that the range is moved towards the best rate
REPORT_SECONDS = 2.0  # seconds between two reports

Report = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What a training came to: its mean loss over all training samples and over all validation samples; infinite where it diverged."""

    train: float
    valid: float


@dataclass(frozen=True)
class Stage:
    """Rates, by number, that were trained for as many steps."""

    steps: int
    found: dict[int, Outcome]

    @property
    def best(self) -> int:
        """The number of the rate with the lowest training loss."""
        return min(self.found, key=lambda number: self.found[number].train)


def search(
    recipe: Recipe, data_dir: Path | str | None = None, report: Report = lambda text: None
) -> Rates:
    """Find a learning rate for `recipe`, and train at it before answering; `report(text)` is told
    what is being trained.

    A schedule stays, with its lr replaced: what is searched for is its lr. The trainings end by
    their number of steps alone, that of the recipe's stop (of the usual stop where it has no
    limit); a rate is judged by the mean loss over all training samples then. Nothing is left
    behind: no generator, thread setting or measured kernel of this process is another afterwards.
    Raises `ArgumentError` where there is no rate to search for, `Error` where every rate diverges
    or none lowers the loss."""
    with matmul.decided({}):
        return Search(recipe, data_dir, report).answer()


class Search:
    """One search. Rate number n is 10^(n/6), to two digits. `trained` are the trainings of the last stage, by the number of their rate."""

    def __init__(self, recipe: Recipe, data_dir: Path | str | None, report: Report) -> None:
        self.asked, self.report, self.began = recipe, report, time.perf_counter()
        report("reading the data")
        self.settled = settle(recipe, data_dir)
        self.recipe = replace(self.settled.recipe, data=self.settled.data)
        require_searchable(self.recipe, self.settled)
        per_epoch = -(
            -self.recipe.repeat.count(len(self.settled.data.train))
            // self.recipe.gradient.accumulate
        )
        self.full = self.recipe.stop.limit(per_epoch)
        usual, _ = stops.choose(self.settled.data.task, per_epoch)
        self.plan = plan_stages(self.settled, self.full or usual.limit(per_epoch) or per_epoch)
        self.trained: dict[int, Training] = {}

    def answer(self) -> Rates:
        """Race, judge, and train at the suggestion beside its neighbours with further seeds."""
        start, nothing, curved, dtype = self._begin()
        edge = largest_stable_rate(self.recipe.step, curved)
        stages = [self._first(edge, self.plan[0][1])]
        grid = sorted(stages[0].found)
        if not math.isfinite(stages[0].found[stages[0].best].train):
            raise Error(
                f"the training diverges at every learning rate from {rate_at(grid[0]):g} to "
                f"{rate_at(grid[-1]):g}; the cause is another: "
                "look at the scale of inputs and targets with: sevensteps data"
            )
        for size, steps in self.plan[1:]:
            before = stages[-1].found
            numbers = sorted(before)
            kept = [
                numbers[index]
                for index in best_window(
                    [before[number].train for number in numbers], size, 10 * start
                )
            ]
            if len(stages) + 1 < len(self.plan):
                stages.append(Stage(steps, self._train(kept, steps)))
            else:
                stages.append(
                    self._last(kept, grid, steps, before if steps == stages[-1].steps else {})
                )
        end = stages[-1]
        chosen = most_robust_rate(
            {number: outcome.train for number, outcome in end.found.items()},
            start * torch.finfo(dtype).eps,
        )
        if not end.found[chosen].train < start:
            raise Error(
                f"no learning rate from {rate_at(grid[0]):g} to {rate_at(grid[-1]):g} lowers the "
                f"training loss of {start:.4g}; the cause "
                "is another: train a few epochs and ask sevensteps diagnose"
            )
        after = largest_stable_rate(self.recipe.step, largest_curvature(self.trained[chosen]))
        self.trained = {}
        return Rates(
            recipe=replace(self.asked, step=with_rate(self.recipe.step, rate_at(chosen))),
            rates=tuple(labelled_rates(stages, start, nothing)),
            suggestion=rate_at(chosen),
            start=start,
            nothing=nothing,
            steps=end.steps,
            full=self.full,
            seeds=self._seeds(chosen, grid, end.steps),
            stages=tuple((len(stage.found), stage.steps) for stage in stages),
            sharpness=describe_sharpness(self.recipe.step, curved, edge, after, rate_at(chosen)),
            seconds=time.perf_counter() - self.began,
        )

    def _begin(self) -> tuple[float, float, float | None, torch.dtype]:
        """The training loss before the first step; that of a network that knows nothing, if lower;
        λ_max; the type of the parameters.
        """
        with threads.threads(self.recipe.threads or threads.usual_threads(self.settled)):
            training = state.start(self.settled)
            self.recipe.initialize(
                training.network,
                training.generators["initialize"],
                *training.parts["train"],
                training.output,
            )
            start: float = evaluate(training, "train")["loss"]
            if not math.isfinite(start):
                raise Error(
                    f"the training loss is {start} before the first step, whatever the learning "
                    "rate; look at the scale of inputs "
                    "and targets with: sevensteps data"
                )
            nothing = min(start, training.loss.ignorant(training.samples.y, training.output.size))
            return start, nothing, largest_curvature(training), training.engine.parameters.dtype

    def _first(self, edge: float | None, steps: int) -> Stage:
        """All rates, the range moved until the best lies inside of it."""
        low = lowest_rate_number(self.recipe.step, edge)
        known: dict[int, Outcome] = {}
        for _ in range(SHIFTS + 1):
            grid = range(low, low + COUNT)
            known |= self._train([number for number in grid if number not in known], steps)
            stage = Stage(steps, {number: known[number] for number in grid})
            place = stage.best - low if math.isfinite(stage.found[stage.best].train) else 0
            if 2 < place < COUNT - 3 or (
                place > 2 and not math.isfinite(stage.found[grid[-1]].train)
            ):
                break
            low += COUNT // 2 if place > 2 else -COUNT // 2
        return stage

    def _last(
        self, numbers: list[int], grid: list[int], steps: int, before: dict[int, Outcome]
    ) -> Stage:
        """These rates one by one; then those beside them until the best does not lie at the border,
        and those that did better `before`.
        """
        self.trained = {}
        stage = Stage(steps, {})
        while numbers:
            stage = Stage(steps, stage.found | self._train(numbers, steps, alone=True))
            found, best = stage.found, stage.found[stage.best].train
            beside = {stage.best - 1, stage.best + 1} & set(grid)
            numbers = sorted(
                (beside | {number for number, outcome in before.items() if outcome.train < best})
                - set(found)
            )
        return stage

    def _seeds(self, chosen: int, grid: list[int], steps: int) -> tuple[float, ...]:
        """For each further seed the loss at the suggestion, over the best of it and the rates
        beside it.
        """
        numbers = [number for number in (chosen - 1, chosen, chosen + 1) if number in grid]
        ratios = []
        for seed in range(self.recipe.seed + 1, self.recipe.seed + 1 + FURTHER_SEEDS):
            found = Stage(steps, self._train(numbers, steps, seed))
            ratios.append(loss_ratio(found.found[chosen].train, found.found[found.best].train))
        return tuple(ratios)

    def _train(
        self, numbers: list[int], steps: int, seed: int | None = None, alone: bool = False
    ) -> dict[int, Outcome]:
        """What the recipe comes to at these rates, together or each `alone`. Raises
        `KeyboardInterrupt` where it is interrupted.
        """
        bytes_each = 6 * sum(
            p.numel() * p.element_size() for p in self.settled.network.parameters()
        )
        size, found = max(1, int(BYTES_AT_ONCE / max(bytes_each, 1))), dict[int, Outcome]()
        how = ", one by one" if alone else "" if seed is None else f" with seed {seed}"
        for place in range(0, len(numbers), size):
            part = numbers[place : place + size]
            recipes = [
                replace(
                    self.recipe,
                    step=with_rate(self.recipe.step, rate_at(number)),
                    stop=stops.max_steps(steps),
                    seed=self.recipe.seed if seed is None else seed,
                )
                for number in part
            ]
            parted = (
                [grouping.LockstepPlan([place]) for place in range(len(part))] if alone else None
            )
            racing = prepare_race(grouping.resolve_all(recipes), parted)
            said = f"{len(part)} {'rates' if len(part) > 1 else 'rate'}, {steps:,} steps each{how}"
            self.report(said)
            run_race(racing, ProgressReport(self.report, said))
            if any(member.ended and member.ended[0] == "interrupt" for member in racing.members):
                raise KeyboardInterrupt("the search was interrupted; nothing of it is kept")
            for number, member in zip(part, racing.members, strict=True):
                found[number] = outcome_of(member.training)
                if seed is None:
                    self.trained[number] = member.training
        return found


class ProgressReport:
    """Reports how far a race is, every two seconds."""

    def __init__(self, report: Report, what: str) -> None:
        self.report, self.what, self.last = report, what, time.monotonic()

    def __call__(self, racing: RaceState, epoch: int) -> None:
        if time.monotonic() - self.last > REPORT_SECONDS:
            self.last = time.monotonic()
            self.report(
                f"{self.what}: "
                f"{min(member.training.progress.step for member in racing.members if not member.ended):,} taken"
                if any(not member.ended for member in racing.members)
                else f"{self.what}: judging"
            )


def outcome_of(training: Training) -> Outcome:
    """What a training came to."""
    if not math.isfinite(training.progress.loss):
        return Outcome(math.inf, math.inf)
    with threads.threads(training.recipe.threads or 1):
        train = evaluate(training, "train")["loss"]
    losses = (train, training.progress.history[-1]["valid"]["loss"])
    return Outcome(*(loss if math.isfinite(loss) else math.inf for loss in losses))


def labelled_rates(stages: list[Stage], start: float, nothing: float) -> Iterator[Rate]:
    """The rates of the first stage, each judged beside the best of the last stage that it took part
    in.
    """
    for number, first in stages[0].found.items():
        stage = next(stage for stage in reversed(stages) if number in stage.found)
        found, best = stage.found[number], stage.best
        yield Rate(
            rate_at(number),
            found.train if stage.steps == stages[0].steps else first.train,
            stage.steps,
            found.train,
            found.valid,
            classify(found.train, stage.found[best].train, start, nothing, above=number > best),
        )


def rate_at(number: int) -> float:
    """10^(number/6), to two digits.

    >>> [rate(number) for number in range(-6, 1)]
    [0.1, 0.15, 0.22, 0.32, 0.46, 0.68, 1.0]
    """
    return float(f"{10 ** (number / PER_DECADE):.2g}")


def lowest_rate_number(step: Optimizer, edge: float | None) -> int:
    """The number of the lowest rate to begin with."""
    if edge is not None:
        return math.floor(PER_DECADE * math.log10(edge)) + RATES_ABOVE_EDGE + 1 - COUNT
    return -24 if isinstance(step, sgd | adagrad) else -30


def with_rate(step: Optimizer, lr: float) -> Optimizer:
    """`step` with another rate; a schedule stays, and is stretched."""
    held = step.lr
    if not isinstance(held, Schedule):
        return replace(step, lr=lr)  # type: ignore[type-var]
    stretched = {"final": held.final * lr / held.lr} if isinstance(held, cosine) else {}
    return replace(step, lr=replace(held, lr=lr, **stretched))  # type: ignore[type-var]


def require_searchable(recipe: Recipe, settled: Settled) -> None:
    """Raise `ArgumentError` where no learning rate changes what a recipe comes to."""
    if not any(p.requires_grad for p in settled.network.parameters()):
        raise ArgumentError(
            f"{recipe.predict!r} has no trainable parameter, so there is no learning rate to "
            "search for"
        )
    if recipe.stop.limit(1) == 0:
        raise ArgumentError(
            f"{recipe.stop!r} takes no step, so there is no learning rate to search for; give a "
            "later stop"
        )
    if isinstance(recipe.gradient, perceptron_rule):
        raise ArgumentError(
            "there is no learning rate to search for: the perceptron's rule adds or takes away "
            "whole inputs, and from "
            "zeros the rate scales the weights without changing an answer"
        )


def plan_stages(settled: Settled, length: int) -> list[tuple[int, int]]:
    """(rates, steps) of each stage, for a training of `length` steps."""
    samples, repeat = len(settled.data.train), settled.recipe.repeat
    batch = samples / repeat.count(samples) * settled.recipe.gradient.accumulate
    each = (
        multiplications(settled.network, tuple(settled.data.train.x.shape[1:])) * batch
        + MULTIPLICATIONS_OF_CALLS
    )
    if COUNT * length * each <= MULTIPLICATIONS_OF_ALL or length < MIN_STEPS:
        return [(COUNT, length), (FINALISTS, length)]
    halved = COUNT / 16 + 2 * FINALISTS / 4 + FINALISTS  # trainings to the end that all stages cost
    length = min(length, max(MIN_STEPS, int(MULTIPLICATIONS_AT_MOST / (halved * each))))
    return [(COUNT, length // 16), (2 * FINALISTS, length // 4), (FINALISTS, length)]
