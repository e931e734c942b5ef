"""Trials of a recipe: it is trained again with a change, on the whole data or on fewer samples
where they show the fault as well.
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
from sevensteps.doctor.observer import Attending
from sevensteps.doctor.trials.changes import Change, changed, of_recipe
from sevensteps.doctor.trials.laboratory import Clock, enough, keep, remedies
from sevensteps.doctor.trials.scheduler import Rounds
from sevensteps.doctor.trials.trial import PAIRS, Trial, best
from sevensteps.engine.parameters import outputs
from sevensteps.errors import Error
from sevensteps.metrics import baseline, metric_of, primary
from sevensteps.racing.grouping import plan_groups
from sevensteps.racing.run import prepare_race, run_race
from sevensteps.seeds import generator
from sevensteps.steps.repeat import loader
from sevensteps.training import loop, state, threads
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import Settled, settle

FEWEST = 500  # samples that a shrunken problem has at least
FIRST = 3  # remedies behind which another cause is looked for
LEAST = 0.01  # of accuracy or r2: what is less is no cure
BY_LOSS = (
    "overfitting",
    "label_noise",
)  # conditions that the validation loss shows before the accuracy does
# of its parameters that a training holds: values, gradients, two memories of Adam, the best so far,
# and those it came with
COPIES = 6


@dataclass
class Retraining:
    """Trains `recipe` with changes and other seeds, many at once.

    A training counts for its accuracy or r2 on the validation data at the end; for a condition that
    shows in the loss first, for minus the logarithm of the loss there. One that came to no number,
    or does worse than an answer that does not look at its input, is worth as much as that one: to
    come from there to chance is no cure."""

    recipe: Recipe
    data: Data
    scaled: dict[str, Data] = field(
        default_factory=dict, repr=False
    )  # change of the data -> all trainings with it share them
    given: dict[str, int] = field(
        default_factory=dict, repr=False
    )  # network -> numbers that its layers give for a sample
    untouched: list[str] | None = None  # what the doctor finds without any change

    def measure(self, condition: str) -> str:
        """What remedies of `condition` are measured by."""
        metric = metric_of(self.data.task.kind)
        return "-log(validation loss)" if condition in BY_LOSS else f"validation {metric}"

    def value(self, condition: str, result: dict[str, Any]) -> float:
        """What a training whose last row of the history is `result` counts for, by that measure."""
        row = result["valid"]
        if condition in BY_LOSS:
            loss = float(row["loss"])
            return -math.log(max(loss, 1e-12)) if math.isfinite(loss) else -math.inf
        found, chance = (
            row[primary(row)],
            baseline(self.data.task.kind, self.data.valid.y),
        )
        return (
            max(float(found), chance)
            if math.isfinite(row["loss"]) and math.isfinite(found)
            else chance
        )

    def ready(self, change: Change, seed: int) -> Settled:
        """The recipe with `change` and `seed`, settled."""
        recipe, others = replace(self.recipe, data=self.data, seed=seed), dict(change)
        if (text := others.pop("data", None)) is not None:
            if text not in self.scaled:
                self.scaled[text] = changed(recipe, {"data": text}).data  # type: ignore[assignment]  # Data stay Data
            recipe = replace(recipe, data=self.scaled[text])
        return settle(changed(recipe, others))

    def size(self, ready: Settled) -> float:
        """How many numbers a training holds: its parameters and what goes with them, outputs of all
        layers for a batch and their slopes.
        """
        samples, shape = len(ready.data.train), tuple(ready.data.train.x.shape[1:])
        batch = samples / int(ready.recipe.repeat.count(samples))
        what = repr(ready.recipe.predict)
        if what not in self.given:
            self.given[what] = outputs(ready.network, shape)
        return (
            COPIES * sum(p.numel() for p in ready.network.parameters())
            + 2 * batch * self.given[what]
        )

    def lanes(self, ready: Sequence[Settled]) -> list[list[int]]:
        """Which of these are trained together."""
        return [group.numbers for group in plan_groups(ready)]

    def race(self, ready: Sequence[Settled]) -> list[tuple[dict[str, Any], float]]:
        """Train all to the end: the last row of the history of each, and its seconds. An interrupt
        ends them all.
        """
        held = prepare_race(ready)
        run_race(held)
        if any(training.progress.interrupted for training in held.trainings):
            raise KeyboardInterrupt
        return [
            (training.progress.history[-1], training.progress.seconds)
            for training in held.trainings
        ]

    def train(self, change: Change, observers: tuple[Any, ...] = ()) -> state.Training:
        """The training with `change` by itself, ended; `observers` look on."""
        settled = self.ready(change, self.recipe.seed)
        with threads.threads(self.recipe.threads or threads.usual_threads(settled)):
            training = state.start(settled)
            loop.train(training, observers)
        return training

    def smaller(self, share: float) -> Retraining:
        """The same with a random share of the samples."""
        draw = generator(self.recipe.seed, "split")

        def some(part: Part) -> Part:
            count = min(len(part), max(FEWEST, round(share * len(part))))
            chosen = torch.randperm(len(part), generator=draw)[:count].sort().values
            return part.select(chosen)

        return Retraining(
            self.recipe,
            replace(self.data, train=some(self.data.train), valid=some(self.data.valid)),
        )

    def shows(self, condition: str) -> bool:
        """Whether the untouched training is found to have this fault."""
        if self.untouched is None:
            self.untouched = list(names(self.found({})))
        return condition in self.untouched

    def found(self, change: Change) -> list[Finding]:
        """What the doctor finds in the training with `change`."""
        attending = Attending(0.1)
        self.train(change, (attending,))
        return attending.after.findings if attending.after is not None else []

    def behind(self, condition: str, change: Change) -> list[tuple[Finding, Change]]:
        """What is found once `change` has taken `condition` away, and its remedies; nothing where
        it is still there.
        """
        try:
            findings = self.found(change)
        except Error:
            return []
        return [] if condition in names(findings) else list(remedies(findings))


def names(findings: list[Finding]) -> Iterator[str]:
    """The conditions, symptoms included."""
    for finding in findings:
        yield finding.condition
        yield from names(finding.symptoms)


@dataclass(eq=False)
class Problem:
    """What remedies are tried on, all samples or fewer, and the rounds of its trials."""

    train: Retraining
    rounds: Rounds


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
    """Try the remedies of `findings` on `recipe`, whose training took `seconds`; each trial is also
    added to its finding.

    All are tried side by side as far as there is time; with `until_proven` only those of one
    finding, and the next finding's only where none of them is proven. Where `budget` seconds are
    too few for the whole training again and again, fewer samples are taken, if they show the fault
    too. Where no remedy is proven, the cause may stand before another: remedies are then tried
    together with those of what comes to light."""
    data = recipe.data if isinstance(recipe.data, Data) else load_data(recipe.data, data_dir)
    clock, report = Clock(number("budget", budget, above=0), seconds), report or (lambda text: None)
    whole, sizes = Retraining(recipe, data), dict[int, Retraining]()
    made, problems = dict[int, Problem](), dict[str, Problem]()
    asked, trials = list(remedies(findings)), list[Trial]()

    def problem(condition: str, share: float) -> Problem:
        if condition not in problems:
            train = _showing(whole, condition, share, sizes, report)
            problems[condition] = made.setdefault(
                len(train.data.train), _problem(train, whole, clock, report)
            )
        return problems[condition]

    def attempt(on: Problem, some: Sequence[tuple[Finding, Change]]) -> None:
        owner = {id(change): finding for finding, change in some}
        trials.extend(
            on.rounds.try_all(
                [(finding.condition, change) for finding, change in some],
                lambda trial: keep(trial, owner[id(trial.change)], findings),
            )
        )

    for _, batch in itertools.groupby(asked, lambda one: id(one[0]) if until_proven else 0):
        some = list(batch)
        if until_proven and enough(trials, some[0][0]):
            break
        share = _share(seconds, (budget - clock.elapsed) / (len(asked) - len(trials)))
        placed = [
            (problem(finding.condition, share), (finding, change)) for finding, change in some
        ]
        for on, here in itertools.groupby(placed, lambda one: one[0]):
            attempt(on, [one for _, one in here])
    if best(trials) is not None:
        return trials
    for finding, change in asked[:FIRST]:
        on = problems[finding.condition]
        if clock.allows(3 * on.rounds.each):
            for _, further in itertools.groupby(
                on.train.behind(finding.condition, change), lambda one: id(one[0])
            ):
                attempt(on, [(finding, {**change, **other}) for _, other in further])
                if best(trials) is not None:
                    return trials
    return trials


def planned_steps(recipe: Recipe, samples: int | None) -> int | None:
    """The most steps that `recipe` would take with so many samples, where that can be told."""
    if samples is None:
        return None
    found: int | None = recipe.stop.limit(
        -(-recipe.repeat.count(samples) // recipe.gradient.accumulate)
    )
    return found


def _share(seconds: float, budget: float) -> float:
    """The share of the samples with which three of each kind of training fit into the budget, with
    room for one longer one.
    """
    return min(1.0, budget / max((3 * PAIRS + 2) * seconds, 1e-9))


def _showing(
    whole: Retraining,
    condition: str,
    share: float,
    sizes: dict[int, Retraining],
    report: Callable[[str], None],
) -> Retraining:
    """The smallest problem that shows the fault and for which there is time; the whole one where
    none does. `sizes` are those made.
    """
    count = len(whole.data.train)
    share = max(share, FEWEST / count)
    while share < 0.7 and not isinstance(
        whole.recipe.repeat, loader
    ):  # which brings samples of its own
        size = round(share * count)
        report(f"{condition}: does it show with {size:,} of {count:,} samples?")
        try:
            if size not in sizes:
                sizes[size] = whole.smaller(share)
            if sizes[size].shows(condition):
                return sizes[size]
        except Error:  # a class may be missing
            pass
        share *= 3
    return whole


def _problem(
    train: Retraining, whole: Retraining, clock: Clock, report: Callable[[str], None]
) -> Problem:
    some, count = len(train.data.train), len(whole.data.train)
    said = "whole" if train is whole else f"{some:,} of {count:,} training samples"
    return Problem(
        train,
        Rounds(
            train,
            train.recipe.seed,
            clock,
            clock.each * some / count,
            of_recipe(replace(train.recipe, data=train.data)),
            least=LEAST,
            problem=said,
            report=report,
        ),
    )
