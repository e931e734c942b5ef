"""Trials of a recipe: it is trained again with a change, on all samples or on fewer.

Fewer are taken where time asks for it and where they show the fault as well.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from sevensteps.arguments import number
from sevensteps.data import Data, Part
from sevensteps.data import load as load_data
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.observer import DoctorObserver
from sevensteps.doctor.trials.changes import Change, changed, random_change_of
from sevensteps.doctor.trials.scheduler import (
    Clock,
    TrialScheduler,
    attach_trial,
    is_settled,
    remedies_to_try,
)
from sevensteps.doctor.trials.trial import PAIRS, Trial, best_trial
from sevensteps.engine.parameters import activation_count
from sevensteps.errors import Error
from sevensteps.metrics import baseline, metric_of, primary
from sevensteps.racing.grouping import plan_groups
from sevensteps.racing.run_race import prepare_race, run_race
from sevensteps.seeds import generator
from sevensteps.steps.repeat import loader
from sevensteps.training import loop, state, threads
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import ResolvedRecipe, resolve

FEWEST = 500  # samples that a reduced problem has at least
FIRST = 3  # remedies behind which another cause is looked for
LEAST = 0.01  # of accuracy or r2: less is no cure
# conditions that the validation loss shows before the accuracy does
BY_LOSS = ("overfitting", "label_noise")
# numbers that a training keeps of each parameter: value, gradient, two moments of Adam, the best so
# far, and the first
COPIES = 6


@dataclass(eq=False)
class RecipeBackend:
    """Trains `recipe` with changes and other seeds, many at once.

    The value of a training is its accuracy or r2 on the validation data at the end; for a condition
    that shows in the loss first, minus the logarithm of the validation loss. A training that
    diverged, or is worse than an answer that ignores its input, counts as that answer: to come from
    there to chance is no cure.
    """

    recipe: Recipe
    data: Data
    # change of the data -> the data so changed, shared by all trainings with that change
    changed_data: dict[str, Data] = field(default_factory=dict, repr=False)
    # network -> how many numbers its layers give for a sample
    layer_outputs: dict[str, int] = field(default_factory=dict, repr=False)
    untouched_conditions: list[str] | None = None  # that the doctor finds without any change

    def measure(self, condition: str) -> str:
        """What a remedy of `condition` is measured by, in words."""
        metric = metric_of(self.data.task.kind)
        return "-log(validation loss)" if condition in BY_LOSS else f"validation {metric}"

    def value(self, condition: str, result: dict[str, Any]) -> float:
        """The value, by that measure, of a training whose last row of the history is `result`."""
        row = result["valid"]
        if condition in BY_LOSS:
            loss = float(row["loss"])
            return -math.log(max(loss, 1e-12)) if math.isfinite(loss) else -math.inf
        score, least = float(row[primary(row)]), baseline(self.data.task.kind, self.data.valid.y)
        diverged = not (math.isfinite(row["loss"]) and math.isfinite(score))
        return least if diverged else max(score, least)

    def prepare(self, change: Change, seed: int) -> ResolvedRecipe:
        """The recipe with `change` and `seed`, resolved."""
        recipe, others = replace(self.recipe, data=self.data, seed=seed), dict(change)
        if (text := others.pop("data", None)) is not None:
            if text not in self.changed_data:
                data = changed(recipe, {"data": text}).data
                assert isinstance(data, Data)  # since the recipe's data are
                self.changed_data[text] = data
            recipe = replace(recipe, data=self.changed_data[text])
        return resolve(changed(recipe, others))

    def size(self, training: ResolvedRecipe) -> float:
        """How many numbers a training takes in memory: parameters and what goes with them, and the
        outputs of all layers for a batch with their gradients.
        """
        samples, shape = len(training.data.train), tuple(training.data.train.x.shape[1:])
        batch = samples / int(training.recipe.repeat.count(samples))
        network = repr(training.recipe.predict)
        if network not in self.layer_outputs:
            self.layer_outputs[network] = activation_count(training.network, shape)
        return (
            COPIES * sum(p.numel() for p in training.network.parameters())
            + 2 * batch * self.layer_outputs[network]
        )

    def lockstep_groups(self, trainings: Sequence[ResolvedRecipe]) -> list[list[int]]:
        """Which of these are trained in lockstep, by their positions."""
        return [group.numbers for group in plan_groups(trainings)]

    def train(self, trainings: Sequence[ResolvedRecipe]) -> list[tuple[dict[str, Any], float]]:
        """Train all to the end: the last row of the history of each, and its seconds.

        An interrupt ends them all.
        """
        race = prepare_race(trainings)
        run_race(race)
        if any(training.progress.interrupted for training in race.trainings):
            raise KeyboardInterrupt
        return [
            (training.progress.history[-1], training.progress.seconds)
            for training in race.trainings
        ]

    def train_alone(self, change: Change, observers: tuple[Any, ...] = ()) -> state.Training:
        """The ended training with `change`, by itself, watched by `observers`."""
        resolved = threads.with_threads(self.prepare(change, self.recipe.seed))
        with threads.threads(resolved.recipe.threads or 1):
            training = state.start(resolved)
            loop.train(training, observers)
        return training

    def with_fewer_samples(self, share: float) -> RecipeBackend:
        """The same recipe on a random share of the samples."""
        draw = generator(self.recipe.seed, "split")

        def fewer(part: Part) -> Part:
            count = min(len(part), max(FEWEST, round(share * len(part))))
            chosen = torch.randperm(len(part), generator=draw)[:count].sort().values
            return part.select(chosen)

        return RecipeBackend(
            self.recipe,
            replace(self.data, train=fewer(self.data.train), valid=fewer(self.data.valid)),
        )

    def shows(self, condition: str) -> bool:
        """Whether the doctor finds this fault in the untouched training."""
        if self.untouched_conditions is None:
            self.untouched_conditions = list(conditions_of(self.findings({})))
        return condition in self.untouched_conditions

    def findings(self, change: Change) -> list[Finding]:
        """The doctor's findings in the training with `change`."""
        observer = DoctorObserver(0.1)
        self.train_alone(change, (observer,))
        return observer.after.findings if observer.after is not None else []

    def remedies_behind(self, condition: str, change: Change) -> list[tuple[Finding, Change]]:
        """Remedies of what the doctor finds once `change` has cured `condition`.

        None where the condition is still there, or the change does not fit.
        """
        try:
            findings = self.findings(change)
        except Error:
            return []
        if condition in conditions_of(findings):
            return []
        return list(remedies_to_try(findings))


def conditions_of(findings: list[Finding]) -> Iterator[str]:
    """The conditions of `findings`, symptoms included."""
    for finding in findings:
        yield finding.condition
        yield from conditions_of(finding.symptoms)


@dataclass(eq=False)
class Problem:
    """What remedies are tried on, all samples or fewer, and the scheduler of its trials."""

    backend: RecipeBackend
    scheduler: TrialScheduler


class ProblemChoice:
    """Chooses what the remedies of each condition are tried on: all samples, or fewer.

    `seconds` is how long the whole training took.
    """

    def __init__(
        self,
        whole: RecipeBackend,
        seconds: float,
        clock: Clock,
        report: Callable[[str], None],
    ) -> None:
        self.whole, self.seconds, self.clock, self.report = whole, seconds, clock, report
        self.by_samples: dict[int, RecipeBackend] = {}
        self.problems: dict[RecipeBackend, Problem] = {}
        self.by_condition: dict[str, Problem] = {}

    def problem(self, condition: str, budget: float) -> Problem:
        """The problem for `condition`, of whose remedies each may take `budget` seconds."""
        if condition not in self.by_condition:
            backend = self._backend(condition, self._share(budget))
            if backend not in self.problems:
                self.problems[backend] = Problem(backend, self._scheduler(backend))
            self.by_condition[condition] = self.problems[backend]
        return self.by_condition[condition]

    def _share(self, budget: float) -> float:
        """The share of the samples with which three trainings of each kind fit into the budget,
        with room for a longer one.
        """
        return min(1.0, budget / max((3 * PAIRS + 2) * self.seconds, 1e-9))

    def _backend(self, condition: str, share: float) -> RecipeBackend:
        """The fewest samples that show the fault and for which there is time, else all."""
        count = len(self.whole.data.train)
        share = max(share, FEWEST / count)
        if isinstance(self.whole.recipe.repeat, loader):  # it brings samples of its own
            return self.whole
        while share < 0.7:
            size = round(share * count)
            self.report(f"{condition}: does it show with {size:,} of {count:,} samples?")
            try:
                if size not in self.by_samples:
                    self.by_samples[size] = self.whole.with_fewer_samples(share)
                if self.by_samples[size].shows(condition):
                    return self.by_samples[size]
            except Error:  # a class may be missing
                pass
            share *= 3
        return self.whole

    def _scheduler(self, backend: RecipeBackend) -> TrialScheduler:
        samples, count = len(backend.data.train), len(self.whole.data.train)
        return TrialScheduler(
            backend,
            backend.recipe.seed,
            self.clock,
            random_change_of(replace(backend.recipe, data=backend.data)),
            seconds_each=self.seconds * samples / count,
            least=LEAST,
            problem="whole"
            if backend is self.whole
            else f"{samples:,} of {count:,} training samples",
            report=self.report,
        )


def try_recipe(
    recipe: Recipe,
    findings: list[Finding],
    seconds: float,
    *,
    data_dir: Path | str | None = None,
    budget: float = 60.0,
    until_proven: bool = False,
    report: Callable[[str], None] | None = None,
) -> list[Trial]:
    """Try the remedies of `findings` on `recipe`, whose training took `seconds`.

    Each trial is also added to its finding. All are tried side by side as far as there is time;
    with `until_proven` only those of one finding, and the next finding's only where none of them is
    proven. Where `budget` seconds are too few for the whole training again and again, fewer samples
    are taken, if they show the fault too. Where no remedy is proven, another cause may stand behind
    the first: remedies are then tried together with those of what comes to light.
    """
    data = recipe.data if isinstance(recipe.data, Data) else load_data(recipe.data, data_dir)
    clock = Clock(number("budget", budget, above=0))
    choice = ProblemChoice(
        RecipeBackend(recipe, data), seconds, clock, report or (lambda text: None)
    )
    remedies, trials = list(remedies_to_try(findings)), list[Trial]()

    def attempt(problem: Problem, pairs: Sequence[tuple[Finding, Change]]) -> None:
        owner = {id(change): finding for finding, change in pairs}
        trials.extend(
            problem.scheduler.try_all(
                [(finding.condition, change) for finding, change in pairs],
                lambda trial: attach_trial(trial, owner[id(trial.change)], findings),
            )
        )

    for _, batch in itertools.groupby(remedies, lambda pair: id(pair[0]) if until_proven else 0):
        pairs = list(batch)
        if until_proven and is_settled(trials, pairs[0][0]):
            break
        each = (budget - clock.elapsed) / (len(remedies) - len(trials))
        placed = [
            (choice.problem(finding.condition, each), (finding, change))
            for finding, change in pairs
        ]
        for problem, same in itertools.groupby(placed, lambda one: one[0]):
            attempt(problem, [pair for _, pair in same])
    if best_trial(trials) is not None:
        return trials
    for finding, change in remedies[:FIRST]:
        problem = choice.by_condition[finding.condition]
        if clock.allows(3 * problem.scheduler.seconds_each):
            behind = problem.backend.remedies_behind(finding.condition, change)
            for _, further in itertools.groupby(behind, lambda pair: id(pair[0])):
                attempt(problem, [(finding, {**change, **other}) for _, other in further])
                if best_trial(trials) is not None:
                    return trials
    return trials


def planned_steps(recipe: Recipe, samples: int | None) -> int | None:
    """The most steps that `recipe` takes with so many samples; None where that is not known."""
    if samples is None:
        return None
    per_epoch = -(-recipe.repeat.count(samples) // recipe.gradient.accumulate)
    steps: int | None = recipe.stop.limit(per_epoch)
    return steps
