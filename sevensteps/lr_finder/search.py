"""The search for a learning rate: 32 rates raced, the better ones for longer, the best to the end.

All rates start from the same parameters and see the same batches. Each stage is a race of its own,
from the start, with the recipe's seed and everything but the rate as in the recipe. Where all rates
can be trained for all the steps of the recipe within seconds, they are. Otherwise all of them take
a sixteenth of the steps, and the best twelve a quarter (successive halving: Jamieson, Talwalkar
2016). The best six are trained to the end one by one, to the bits that the recipe gives when it is
trained alone: near the edge of stability, other rounding may give another training. How many rates
take how many steps follows from the amount of work and not from the clock, so the same recipe
always has the same answer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sevensteps.engine.parameters import multiplications
from sevensteps.errors import ArgumentError, Error
from sevensteps.lr_finder.rate_numbers import RATE_COUNT, lowest_rate_number, rate_at, with_rate
from sevensteps.lr_finder.rates import (
    NEGLIGIBLE_SHARE,
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
from sevensteps.racing.grouping import LockstepPlan, resolve_all
from sevensteps.racing.run_race import RaceState, prepare_race, run_race
from sevensteps.steps import stop as stops
from sevensteps.steps.gradient import perceptron_rule
from sevensteps.training import state, threads
from sevensteps.training.evaluation import evaluate
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import ResolvedRecipe, resolve
from sevensteps.training.state import Training

MIN_STEPS = 64  # a training is not cut shorter than this
# multiplications of all forward passes up to which every rate is trained for all steps: some ten
# seconds on two processors
FULL_LENGTH_WORK = 6e10
MAX_WORK = 4e11  # and above which the recipe is not trained to its end: minutes
CALL_WORK = 2e5  # multiplications that take as long as the Python calls of one step
FINALISTS = 6  # rates that are trained to the end
# for the networks of one race, their gradients, what optimizers store, and the best checkpoints
MAX_BYTES = 2e9
FURTHER_SEEDS = 2  # with which the suggestion is trained again, beside its neighbours
MAX_SHIFTS = 4  # times that the range of rates is moved towards the best one
REPORT_SECONDS = 2.0  # between two reports

Report = Callable[[str], None]


@dataclass(frozen=True)
class Losses:
    """The mean losses after a training, over all training samples and over all validation samples.

    Infinite where the training diverged.
    """

    train: float
    valid: float


@dataclass(frozen=True)
class Stage:
    """The losses of rates that were trained for `steps` steps, by the number of the rate."""

    steps: int
    losses: dict[int, Losses]

    @property
    def best(self) -> int:
        """The number of the rate with the lowest training loss."""
        return min(self.losses, key=lambda number: self.losses[number].train)

    @property
    def lowest(self) -> float:
        """The lowest training loss."""
        return self.losses[self.best].train


@dataclass(frozen=True)
class Start:
    """The network before the first step: its training loss, that of a network that ignores its
    inputs (if lower), λ_max of the Hessian (None: unknown), and the type of its parameters.
    """

    loss: float
    uninformed: float
    curvature: float | None
    dtype: torch.dtype


def search(
    recipe: Recipe, data_dir: Path | str | None = None, report: Report = lambda text: None
) -> Rates:
    """Find a learning rate for `recipe`, and train at it before answering.

    A schedule stays, and what is searched for is its `lr`. Each training ends after a number of
    steps: as many as the recipe's stop allows (the usual stop where that has no limit). Rates are
    judged by the mean loss over all training samples at the end. `report(text)` is called with what
    is being trained. Nothing is left behind: generators and thread settings of this process
    are afterwards what they were before. Raises `ArgumentError` where there is no rate
    to search for, and `Error` where every rate diverges or none lowers the loss.
    """
    return Search(recipe, data_dir, report).run()


class Search:
    """One search. Rate number n is 10^(n/6), rounded to two digits.

    `trainings` are those of the last stage with the recipe's own seed, by the number of the rate.
    """

    def __init__(self, recipe: Recipe, data_dir: Path | str | None, report: Report) -> None:
        self.original_recipe, self.report, self.began = recipe, report, time.perf_counter()
        report("reading the data")
        self.resolved = resolve(recipe, data_dir, alone=False)
        self.recipe = replace(self.resolved.recipe, data=self.resolved.data)
        require_searchable(self.recipe, self.resolved)
        per_epoch = -(
            -self.recipe.repeat.count(len(self.resolved.data.train))
            // self.recipe.gradient.accumulate
        )
        self.full = self.recipe.stop.limit(per_epoch)
        usual, _ = stops.choose(self.resolved.data.task, per_epoch)
        self.plan = plan_stages(self.resolved, self.full or usual.limit(per_epoch) or per_epoch)
        self.trainings: dict[int, Training] = {}

    def run(self) -> Rates:
        """Race the rates stage by stage, choose one, and train it with further seeds."""
        start = self._measure_start()
        edge = largest_stable_rate(self.recipe.step, start.curvature)
        enough = NEGLIGIBLE_SHARE * start.loss if has_no_minimum(self.resolved) else 0.0
        stages = [self._first_stage(edge, self.plan[0][1], enough)]
        grid = sorted(stages[0].losses)
        if not math.isfinite(stages[0].lowest):
            raise Error(
                f"the training diverges at every learning rate from {rate_at(grid[0]):g} to "
                f"{rate_at(grid[-1]):g}, so the learning rate is not the cause; look at the scale "
                "of inputs and targets with: sevensteps data"
            )
        for size, steps in self.plan[1:]:
            previous = stages[-1]
            numbers = sorted(previous.losses)
            window = best_window(
                [max(previous.losses[number].train, enough) for number in numbers],
                size,
                10 * start.loss,
            )
            remaining = [numbers[index] for index in window]
            if len(stages) + 1 < len(self.plan):
                stages.append(Stage(steps, self._train(remaining, steps)))
            else:
                same_length = previous.losses if steps == previous.steps else {}
                stages.append(self._final_stage(remaining, grid, steps, same_length))
        final = stages[-1]
        chosen = most_robust_rate(
            {number: losses.train for number, losses in final.losses.items()},
            max(start.loss * torch.finfo(start.dtype).eps, enough),
        )
        if not final.losses[chosen].train < start.loss:
            raise Error(
                f"no learning rate from {rate_at(grid[0]):g} to {rate_at(grid[-1]):g} lowers the "
                f"training loss of {start.loss:.4g}, so the learning rate is not the cause; train "
                "a few epochs and ask sevensteps diagnose"
            )
        after = largest_stable_rate(self.recipe.step, largest_curvature(self.trainings[chosen]))
        self.trainings = {}
        return Rates(
            recipe=replace(self.original_recipe, step=with_rate(self.recipe.step, rate_at(chosen))),
            rates=tuple(classified_rates(stages, start)),
            suggestion=rate_at(chosen),
            start=start.loss,
            nothing=start.uninformed,
            steps=final.steps,
            full=self.full,
            seeds=self._ratios_with_further_seeds(chosen, grid, final.steps, enough),
            stages=tuple((len(stage.losses), stage.steps) for stage in stages),
            sharpness=describe_sharpness(
                self.recipe.step, start.curvature, edge, after, rate_at(chosen)
            ),
            seconds=time.perf_counter() - self.began,
        )

    def _measure_start(self) -> Start:
        resolved = threads.with_threads(self.resolved)
        with threads.threads(resolved.recipe.threads or 1):
            training = state.start(self.resolved)
            self.recipe.initialize(
                training.network,
                training.generators["initialize"],
                *training.parts["train"],
                training.output,
            )
            loss: float = evaluate(training, "train")["loss"]
            if not math.isfinite(loss):
                raise Error(
                    f"the training loss is {loss} before the first step, whatever the learning "
                    "rate; look at the scale of inputs and targets with: sevensteps data"
                )
            uninformed = training.loss.baseline(training.samples.y, training.output.size)
            dtype = training.engine.parameters.dtype
            return Start(loss, min(loss, uninformed), largest_curvature(training), dtype)

    def _first_stage(self, edge: float | None, steps: int, enough: float) -> Stage:
        """All rates; the range is moved until the best one does not lie at its border, or its loss
        is `enough`.
        """
        low = lowest_rate_number(self.recipe.step, edge)
        known: dict[int, Losses] = {}
        for _ in range(MAX_SHIFTS + 1):
            grid = range(low, low + RATE_COUNT)
            known |= self._train([number for number in grid if number not in known], steps)
            stage = Stage(steps, {number: known[number] for number in grid})
            position = stage.best - low if math.isfinite(stage.lowest) else 0
            highest_diverges = not math.isfinite(stage.losses[grid[-1]].train)
            if 2 < position < RATE_COUNT - 3 or (position > 2 and highest_diverges):
                break
            if position > 2 and stage.lowest <= enough:
                break
            low += RATE_COUNT // 2 if position > 2 else -RATE_COUNT // 2
        return stage

    def _final_stage(
        self, numbers: list[int], grid: list[int], steps: int, same_length: dict[int, Losses]
    ) -> Stage:
        """These rates one by one, then their neighbours until the best one is not at the border.

        Rates that did better than the best one in an earlier race of the `same_length` are trained
        too.
        """
        self.trainings = {}
        stage = Stage(steps, {})
        while numbers:
            stage = Stage(steps, stage.losses | self._train(numbers, steps, alone=True))
            neighbours = {stage.best - 1, stage.best + 1} & set(grid)
            better = {
                number for number, losses in same_length.items() if losses.train < stage.lowest
            }
            numbers = sorted((neighbours | better) - set(stage.losses))
        return stage

    def _ratios_with_further_seeds(
        self, chosen: int, grid: list[int], steps: int, enough: float
    ) -> tuple[float, ...]:
        """For each further seed, the loss at the chosen rate over the best of it and its
        neighbours; losses below `enough` count as that.
        """
        numbers = [number for number in (chosen - 1, chosen, chosen + 1) if number in grid]
        ratios = []
        for seed in range(self.recipe.seed + 1, self.recipe.seed + 1 + FURTHER_SEEDS):
            stage = Stage(steps, self._train(numbers, steps, seed))
            loss, lowest = max(stage.losses[chosen].train, enough), max(stage.lowest, enough)
            ratios.append(loss_ratio(loss, lowest))
        return tuple(ratios)

    def _train(
        self, numbers: list[int], steps: int, seed: int | None = None, alone: bool = False
    ) -> dict[int, Losses]:
        """The losses of the recipe at these rates, trained together or each `alone`.

        Raises `KeyboardInterrupt` where the training is interrupted.
        """
        bytes_each = 6 * sum(
            p.numel() * p.element_size() for p in self.resolved.network.parameters()
        )
        size, losses = max(1, int(MAX_BYTES / max(bytes_each, 1))), dict[int, Losses]()
        suffix = ", one by one" if alone else "" if seed is None else f" with seed {seed}"
        for first in range(0, len(numbers), size):
            together = numbers[first : first + size]
            recipes = [
                replace(
                    self.recipe,
                    step=with_rate(self.recipe.step, rate_at(number)),
                    stop=stops.max_steps(steps),
                    seed=self.recipe.seed if seed is None else seed,
                )
                for number in together
            ]
            plans = [LockstepPlan([index]) for index in range(len(together))] if alone else None
            race = prepare_race(resolve_all(recipes), plans)
            count = f"{len(together)} {'rates' if len(together) > 1 else 'rate'}"
            message = f"{count}, {steps:,} steps each{suffix}"
            self.report(message)
            run_race(race, ProgressReport(self.report, message))
            if any(member.ended and member.ended[0] == "interrupt" for member in race.members):
                raise KeyboardInterrupt("the search was interrupted; nothing of it is kept")
            for number, member in zip(together, race.members, strict=True):
                losses[number] = losses_after(member.training)
                if seed is None:
                    self.trainings[number] = member.training
        return losses


class ProgressReport:
    """Called after each epoch of a race: reports every two seconds how many steps were taken."""

    def __init__(self, report: Report, message: str) -> None:
        self.report, self.message, self.last = report, message, time.monotonic()

    def __call__(self, race: RaceState, epoch: int) -> None:
        if time.monotonic() - self.last <= REPORT_SECONDS:
            return
        self.last = time.monotonic()
        steps = [member.training.progress.step for member in race.members if not member.ended]
        self.report(f"{self.message}: {f'{min(steps):,} taken' if steps else 'judging'}")


def losses_after(training: Training) -> Losses:
    """The losses of a training that is over."""
    if not math.isfinite(training.progress.loss):
        return Losses(math.inf, math.inf)
    with threads.threads(training.recipe.threads or 1):
        train = evaluate(training, "train")["loss"]
    losses = (train, training.progress.history[-1]["valid"]["loss"])
    return Losses(*(loss if math.isfinite(loss) else math.inf for loss in losses))


def classified_rates(stages: list[Stage], start: Start) -> Iterator[Rate]:
    """The rates of the first stage, each compared with the best of the last stage it was in."""
    for number, first in stages[0].losses.items():
        stage = next(stage for stage in reversed(stages) if number in stage.losses)
        last = stage.losses[number]
        yield Rate(
            rate_at(number),
            last.train if stage.steps == stages[0].steps else first.train,
            stage.steps,
            last.train,
            last.valid,
            classify(
                last.train, stage.lowest, start.loss, start.uninformed, above=number > stage.best
            ),
        )


def has_no_minimum(resolved: ResolvedRecipe) -> bool:
    """Whether the loss is that of classes and nothing but one linear layer stands before it: where
    a plane separates the classes, the loss goes to 0 as the weights grow, and the longest steps win
    by nothing but their length. Source: Soudry et al. 2018, The Implicit Bias of Gradient Descent
    on Separable Data.
    """
    matrices = sum(p.ndim > 1 for p in resolved.network.parameters())
    return matrices == 1 and resolved.output.link in ("sigmoid", "softmax")


def require_searchable(recipe: Recipe, resolved: ResolvedRecipe) -> None:
    """Raise `ArgumentError` where no learning rate changes what a recipe learns."""
    if not any(p.requires_grad for p in resolved.network.parameters()):
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
            "whole inputs, and when it starts from zeros the rate scales the weights without "
            "changing an answer"
        )


def plan_stages(resolved: ResolvedRecipe, length: int) -> list[tuple[int, int]]:
    """(rates, steps) of each stage, for a training of `length` steps."""
    samples, repeat = len(resolved.data.train), resolved.recipe.repeat
    batch = samples / repeat.count(samples) * resolved.recipe.gradient.accumulate
    shape = tuple(resolved.data.train.x.shape[1:])
    work = multiplications(resolved.network, shape) * batch + CALL_WORK  # of one step
    if RATE_COUNT * length * work <= FULL_LENGTH_WORK or length < MIN_STEPS:
        return [(RATE_COUNT, length), (FINALISTS, length)]
    # what all stages cost, in trainings to the end
    trainings = RATE_COUNT / 16 + 2 * FINALISTS / 4 + FINALISTS
    length = min(length, max(MIN_STEPS, int(MAX_WORK / (trainings * work))))
    return [(RATE_COUNT, length // 16), (2 * FINALISTS, length // 4), (FINALISTS, length)]
