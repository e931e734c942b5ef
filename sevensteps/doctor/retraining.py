"""Trials of a recipe: it is trained again with a change, on the whole data or on fewer samples where they show the fault as well."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sevensteps import loop, process, state
from sevensteps.data import Data, Part
from sevensteps.data import load as load_data
from sevensteps.doctor.attending import Attending
from sevensteps.doctor.changes import Change, changed, of_recipe
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trial import PAIRS, Trial, best
from sevensteps.doctor.trials import Clock, Laboratory, enough, keep, remedies
from sevensteps.errors import Error, number
from sevensteps.recipe import Recipe, settle
from sevensteps.seeds import generator
from sevensteps.steps.repeat import loader
from sevensteps.task import ignorant

FEWEST = 500  # samples that a shrunken problem has at least
FIRST = 3  # remedies behind which another cause is looked for
LEAST = 0.01  # of accuracy or r2: what is less is no cure
BY_LOSS = ("overfitting", "label_noise")  # conditions that the validation loss shows before the accuracy does


@dataclass
class Retraining:
    """Trains `recipe` with a change and another seed.

    Calling it gives accuracy or r2 on the validation data at the end; with `by_loss`, minus the logarithm of the loss there. A
    training that came to no number, or does worse than an answer that does not look at its input, is worth as much as that one: to come
    from there to chance is no cure.
    """

    recipe: Recipe
    data: Data
    by_loss: bool = False

    @property
    def measure(self) -> str:
        """What the numbers are."""
        kind = "r2" if self.data.task.kind == "regression" else "accuracy"
        return "-log(validation loss)" if self.by_loss else f"validation {kind}"

    def __call__(self, change: Change, seed: int) -> float:
        row = self.train(change, seed).progress.history[-1]["valid"]
        if self.by_loss:
            return -math.log(max(row["loss"], 1e-12)) if math.isfinite(row["loss"]) else -math.inf
        found, chance = row["r2"] if "r2" in row else row["accuracy"], ignorant(self.data.task, self.data.valid.y)
        return max(float(found), chance) if math.isfinite(row["loss"]) and math.isfinite(found) else chance

    def train(self, change: Change, seed: int, observers: tuple[Any, ...] = ()) -> state.Training:
        """The training, ended."""
        settled = settle(changed(replace(self.recipe, data=self.data, seed=seed), change))
        with process.threads(self.recipe.threads or process.usual_threads(settled)):
            training = state.start(settled)
            loop.train(training, observers)
        return training

    def smaller(self, share: float) -> Retraining:
        """The same with a random share of the samples."""
        draw = generator(self.recipe.seed, "split")

        def some(part: Part) -> Part:
            count = min(len(part), max(FEWEST, round(share * len(part))))
            chosen = torch.randperm(len(part), generator=draw)[:count].sort().values
            return part.some(chosen)

        return replace(self, data=replace(self.data, train=some(self.data.train), valid=some(self.data.valid)))

    def shows(self, condition: str) -> bool:
        """Whether the untouched training is found to have this fault."""
        return condition in names(self.found({}))

    def found(self, change: Change) -> list[Finding]:
        """What the doctor finds in the training with `change`."""
        attending = Attending(0.1)
        self.train(change, self.recipe.seed, (attending,))
        return attending.after.findings if attending.after is not None else []

    def behind(self, condition: str, change: Change) -> list[Change]:
        """The remedies of what is found once `change` has taken `condition` away; none where it is still there."""
        try:
            findings = self.found(change)
        except Error:
            return []
        return [] if condition in names(findings) else [further for _, further in remedies(findings)]


def names(findings: list[Finding]) -> Iterator[str]:
    """The conditions, symptoms included."""
    for finding in findings:
        yield finding.condition
        yield from names(finding.symptoms)


def try_recipe(recipe: Recipe, findings: list[Finding], seconds: float, *, data_dir: Path | str | None = None, budget: float = 60.0,
               until_proven: bool = False, report: Callable[[str], None] | None = None) -> list[Trial]:
    """Try the remedies of `findings` on `recipe`, whose training took `seconds`; each trial is also added to its finding.

    Where `budget` seconds are too few for the whole training again and again, fewer samples are taken, if they show the fault too.
    Where no remedy is proven, the cause may stand before another: remedies are then tried together with those of what comes to light.
    `until_proven`: end with the first finding of which a remedy is proven.
    """
    data = recipe.data if isinstance(recipe.data, Data) else load_data(recipe.data, data_dir)
    whole = Retraining(recipe, data)
    asked = list(remedies(findings))
    clock = Clock(number("budget", budget, above=0), seconds)
    laboratories: dict[str, Laboratory] = {}
    trials: list[Trial] = []

    def attempt(finding: Finding, change: Change, left: int) -> bool:
        if finding.condition not in laboratories:
            share = _share(seconds, (budget - clock.elapsed) / max(left, 1))
            asking = replace(whole, by_loss=finding.condition in BY_LOSS)
            laboratories[finding.condition] = _laboratory(asking, finding.condition, share, clock, report)
        trial = laboratories[finding.condition].try_one(finding.condition, change)
        keep(trial, finding, findings)
        trials.append(trial)
        return trial.proven

    for index, (finding, change) in enumerate(asked):
        if until_proven and enough(trials, finding):
            break
        attempt(finding, change, len(asked) - index)
    if best(trials) is not None:
        return trials
    for finding, change in asked[:FIRST]:
        laboratory = laboratories[finding.condition]
        if laboratory.clock.allows(3 * laboratory.clock.each) and isinstance(laboratory.train, Retraining):
            for further in laboratory.train.behind(finding.condition, change):
                if attempt(finding, {**change, **further}, 1):
                    return trials
    return trials


def planned_steps(recipe: Recipe, samples: int | None) -> int | None:
    """The most steps that `recipe` would take with so many samples, where that can be told."""
    if samples is None:
        return None
    found: int | None = recipe.stop.limit(-(-recipe.repeat.count(samples) // recipe.gradient.accumulate))
    return found


def _share(seconds: float, budget: float) -> float:
    """The share of the samples with which three of each kind of training fit into the budget, with room for one longer one."""
    return min(1.0, budget / max((3 * PAIRS + 2) * seconds, 1e-9))


def _laboratory(whole: Retraining, condition: str, share: float, clock: Clock, report: Callable[[str], None] | None) -> Laboratory:
    """A laboratory on the smallest problem that shows the fault and for which there is time; on the whole one where none does."""
    count = len(whole.data.train)
    chosen, problem, each = whole, "whole", clock.each
    share = max(share, FEWEST / count)
    while share < 0.7 and not isinstance(whole.recipe.repeat, loader):  # which brings samples of its own
        if report is not None:
            report(f"{condition}: does it show with {round(share * count):,} of {count:,} samples?")
        try:
            smaller = whole.smaller(share)
            shown = smaller.shows(condition)
        except Error:  # a class may be missing
            shown = False
        if shown:
            chosen, problem, each = smaller, f"{len(smaller.data.train):,} of {count:,} training samples", clock.each * share
            break
        share *= 3
    return Laboratory(chosen, whole.measure, whole.recipe.seed, Clock(clock.budget - clock.elapsed, each),
                      of_recipe(replace(chosen.recipe, data=chosen.data)), least=LEAST, problem=problem, report=report)
