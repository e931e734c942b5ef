"""The face of racing: `race()` trains many recipes at once, `grid()` writes them down, and both end
in a `Race`.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sevensteps.api.run import Run
from sevensteps.api.session import ended_run, summary_of
from sevensteps.arguments import number, one_of, whole
from sevensteps.data import Data
from sevensteps.doctor.observer import Attending
from sevensteps.errors import ArgumentError
from sevensteps.notation import cut
from sevensteps.racing import grouping, ray_tasks
from sevensteps.racing.grouping import LockstepPlan
from sevensteps.racing.leaderboard import (
    LeaderboardRow,
    group_by_recipe,
    leaderboard,
    require_same_data,
)
from sevensteps.racing.lockstep_loop import Member
from sevensteps.racing.ray_cluster import cluster_address
from sevensteps.racing.ray_tasks import TaskResult
from sevensteps.racing.run import RaceState, prepare_race, run_race
from sevensteps.racing.successive_halving import SuccessiveHalving, require_epoch_limit
from sevensteps.record.run_folder import create, write_json
from sevensteps.record.writer import Writer
from sevensteps.training import threads
from sevensteps.training.loop import Observer
from sevensteps.training.recipe import Recipe, as_recipe
from sevensteps.training.resolve import Settled

SCHEMA = 1
ORDERS = ("own", "shared")


@dataclass(frozen=True, eq=False)
class Race:
    """Many trainings and how they compare. `runs` are in the order of the recipes, `table` has a row for each recipe, best first.

    `recipe` is the best row's; `best` is the run of it that came to the best metric. `folder` has a
    run folder for each run. `groups` says who was trained together. `missing` are the numbers of
    the recipes without a run, where a race on Ray was interrupted."""

    runs: list[Run]
    table: list[LeaderboardRow]
    groups: list[LockstepPlan]
    folder: Path | None = None
    missing: Sequence[int] = ()

    @property
    def best(self) -> Run:
        """The best run of the best recipe."""
        from sevensteps.metrics import score

        return max(
            (self.runs[member] for member in self.table[0].members),
            key=lambda run: score(run.metrics["valid"]),
        )

    @property
    def recipe(self) -> Recipe:
        """The best recipe, with the first of its seeds."""
        return self.runs[self.table[0].members[0]].recipe

    @property
    def metric(self) -> str:
        """What the recipes are compared by: accuracy, r2 or loss, on the validation data at the
        end.
        """
        from sevensteps.metrics import primary

        return primary(self.runs[0].metrics["valid"])

    def plot(self, path: Path | str | None = None) -> Any:
        """The metric of each recipe by epoch as a figure of matplotlib; written to `path` (.png or
        .svg) where one is given.

        A line is the mean over the seeds, its shadow their range. Raises `ArgumentError` where
        matplotlib is not installed."""
        from sevensteps.racing.figure import figure

        values = [
            [
                math.nan if row["valid"][self.metric] is None else row["valid"][self.metric]
                for row in run.history
            ]
            for run in self.runs
        ]
        return figure(
            self.table,
            values,
            self.metric,
            f"{self.recipe.source}: {len(self.runs)} trainings",
            path,
        )

    def to_dict(self) -> dict[str, Any]:
        """As `race.json` and `--json` hold it. Members are numbered from 1, in the order of the
        runs.
        """
        best = self.best.folder
        return {
            "schema": SCHEMA,
            "race": self.folder and self.folder.name,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": self.recipe.source,
            "metric": self.metric,
            "recipe": {step: repr(held) for step, held in self.recipe.steps.items()},
            "best": best and best.name,
            "table": [{**row.to_dict(), "members": _numbered(row.members)} for row in self.table],
            "groups": [
                {
                    "members": _numbered(group.numbers),
                    "own_order": group.own,
                    "why_alone": group.why,
                }
                for group in self.groups
            ],
            "missing": _numbered(self.missing),
            "runs": [
                {
                    "run": run.folder and run.folder.name,
                    "seed": run.recipe.seed,
                    "stop": run.summary["stop"],
                    "epochs": run.summary["epochs"],
                    "seconds": run.summary["seconds"],
                    "valid": run.metrics["valid"],
                    "findings": [finding.condition for finding in run.findings],
                }
                for run in self.runs
            ],
        }

    def __repr__(self) -> str:
        row = self.table[0]
        where = f", folder={str(self.folder)!r}" if self.folder else ""
        return f"<Race of {len(self.runs)} on {self.recipe.source}: best {row.label}, {self.metric} {row.metric:.4f}{where}>"


def _numbered(members: Sequence[int]) -> list[int]:
    return [member + 1 for member in members]


def grid(data: str | Data | Recipe, seeds: int | Sequence[int] = 1, **values: Any) -> list[Recipe]:
    """Recipes for every combination of the values given: `grid("digits", step=["sgd(lr=0.1)",
    "sgd(lr=1)"], seeds=5)` are ten.

    A keyword is a step, or another part of a recipe, with one value or a list of them. `seeds` is
    how many, from that of the recipe on, or which.

    >>> [(repr(recipe.step), recipe.seed) for recipe in grid("xor", step=["sgd(lr=0.1)", "sgd(lr=1.0)"], seeds=2)]
    [('sgd(lr=0.1)', 0), ('sgd(lr=0.1)', 1), ('sgd(lr=1.0)', 0), ('sgd(lr=1.0)', 1)]
    """
    first = as_recipe(data, {})
    chosen = (
        range(first.seed, first.seed + whole("seeds", seeds, at_least=1))
        if isinstance(seeds, int)
        else seeds
    )
    lists = {
        name: list(held) if isinstance(held, list | tuple) else [held]
        for name, held in values.items()
        if held is not None
    }
    for name, held in lists.items():
        if not held:
            raise ArgumentError(
                f"{name} is an empty list, so there is no combination; give at least one value, "
                "or leave it out"
            )
    return [
        as_recipe(first, {**dict(zip(lists, combination, strict=True)), "seed": seed})
        for combination in itertools.product(*lists.values())
        for seed in chosen
    ]


def race(
    recipes: Sequence[Recipe],
    *,
    halve: bool = False,
    order: Literal["own", "shared"] = "own",
    data_dir: Path | str | None = None,
    out: Path | str | Literal[False] | None = None,
    watch: float = 0.02,
    on: str | None = None,
    report: Callable[[Any], None] | None = None,
) -> Race:
    """Train all `recipes` at once, those together whose networks have the same shapes, and compare
    what they come to.

    What a recipe comes to is what it comes to alone, up to rounding. Recipes that differ in nothing
    but the seed count as one, with a spread; `grid` writes them down. `order="shared"` lets all go
    through the samples in the same order, that of the first recipe's seed, which is written into
    the recipes; networks over the same batches are trained several times faster. `halve` ends the
    worse half after ever longer shares of the epochs. `out` is the folder of the race (default
    `runs/<date>-race-<name>`, False for none), with a run folder for each recipe; `watch` is as for
    `train`; `report(field)` is called after each step of a group. `on="ray"` trains the groups as
    tasks of a Ray started here, `on="ray:HOST:PORT"` of a cluster, each with as many processors as
    its recipes have threads, by default one; `report(tally)` is then called a few times a second,
    and after Ctrl-C the race is of those that have finished. Raises `sevensteps.Error` for no
    recipes, recipes on different data, and whatever does not fit, before the first step.

    >>> found = race(grid("xor", step=["sgd(lr=0.01)", "sgd(lr=1.0)"], stop="epochs(200)"), out=False)
    >>> found.table[0].label, len(found.runs)
    ('sgd(lr=1.0)', 2)
    """
    number("watch", watch, at_least=0, at_most=1)
    address = None if on is None else cluster_address(on)
    if on is not None and halve:
        raise ArgumentError(
            "halving compares all networks while they train, which tasks on several machines "
            "cannot; leave halve or on out"
        )
    settled = ready(recipes, order, data_dir)
    if on is not None:  # the tasks are side by side, so each takes one thread unless told
        settled = [
            replace(one, recipe=replace(one.recipe, threads=one.recipe.threads or 1))
            for one in settled
        ]
        ray_tasks.require_movable(settled)
    if halve:
        require_epoch_limit([one.recipe for one in settled])
    parted = grouping.plan_groups(settled)
    places = group_by_recipe([one.recipe for one in settled]) if halve else []
    folder = None if out is False else create(out, f"race-{settled[0].data.source}")
    names = [f"{place:0{len(str(len(settled)))}d}" for place in range(1, len(settled) + 1)]
    missing: list[int] = []
    try:
        if on is None:
            runs = trained(settled, parted, folder, names, watch, places, report)
        else:
            parted, results = ray_tasks.run_on_ray(
                settled, parted, names, trained, address, watch, folder, data_dir, report
            )
            if not results:
                raise KeyboardInterrupt("stopped before a group was done, so nothing is kept")
            runs = [
                _returned(settled[place], results[place], folder and folder / names[place])
                for place in sorted(results)
            ]
            missing = [place for place in range(len(settled)) if place not in results]
            parted = [
                replace(group, numbers=[sorted(results).index(place) for place in group.numbers])
                for group in parted
                if group.numbers[0] in results
            ]
    except BaseException:
        if folder is not None:
            with suppress(OSError):
                folder.rmdir()  # where nothing has come into it
        raise
    table = leaderboard(
        [run.recipe for run in runs], [run.summary for run in runs], [run.history for run in runs]
    )
    found = Race(runs, table, parted, folder, missing)
    if folder is not None:
        write_json(folder / "race.json", found.to_dict())
    return found


def trained(
    settled: Sequence[Settled],
    parted: Sequence[LockstepPlan],
    folder: Path | None,
    names: Sequence[str],
    watch: float,
    halve: Sequence[Sequence[int]] = (),
    report: Callable[[RaceState], None] | None = None,
) -> list[Run]:
    """The runs of these recipes, trained here in their groups; each has a folder of its name in
    `folder`. `halve` are the entries.
    """
    about_data: dict[str, Any] = {}
    attending = [Attending(watch, shared=about_data) if watch else None for _ in settled]
    racing = prepare_race(settled, parted)
    halving = (
        SuccessiveHalving([[racing.members[place] for place in entry] for entry in halve])
        if halve
        else None
    )
    writers = [
        Writer(folder / name, name, look) if folder else None
        for name, look in zip(names, attending, strict=True)
    ]
    for place, member in enumerate(racing.members):
        both: tuple[Observer | None, ...] = attending[place], writers[place]
        member.observers = [look for look in both if look is not None]
    try:
        run_race(racing, halving, report)
    finally:
        for writer in writers:
            if writer is not None:
                writer.close()
    return [
        _run(member, writers[place], attending[place])
        for place, member in enumerate(racing.members)
    ]


def _run(member: Member, writer: Writer | None, attending: Attending | None) -> Run:
    assert member.ended is not None
    with threads.threads(member.training.recipe.threads or 1):
        return ended_run(
            member.training,
            summary_of(member.training, member.ended, writer, attending),
            writer,
            attending,
        )


def _returned(one: Settled, result: TaskResult, folder: Path | None) -> Run:
    """The run that came back from another machine."""
    best = ray_tasks.load_weights(copy.deepcopy(one.network), result.best)
    return Run(
        one.recipe,
        result.summary,
        result.history,
        folder,
        ray_tasks.load_weights(one.network, result.last),
        best,
        one.output,
        one.data.inputs,
    )


def ready(recipes: Sequence[Recipe], order: str, data_dir: Path | str | None) -> list[Settled]:
    """The recipes with nothing left open, about the same data, and with one order of the samples
    where it is to be shared.
    """
    if isinstance(recipes, Recipe | str) or not isinstance(recipes, Sequence):
        raise ArgumentError(
            f"a race takes a list of recipes, not {cut(repr(recipes))}; write one with "
            "ss.grid(data, step=[…, …])"
        )
    for place, recipe in enumerate(recipes, 1):
        if not isinstance(recipe, Recipe):
            raise ArgumentError(
                f"entry {place} of the race is {cut(repr(recipe))}, no recipe; give "
                "ss.Recipe(data, step=…)"
            )
    one_of("order", order, ORDERS)
    if not recipes:
        raise ArgumentError("a race of no recipes has no winner; give at least one")
    settled = grouping.resolve_all(recipes, data_dir)
    require_same_data([one.recipe for one in settled], [one.data.digest for one in settled])
    if order == "own":
        return settled
    seed = grouping.order_seed(settled[0])
    return [
        replace(
            one,
            recipe=replace(
                one.recipe,
                repeat=replace(
                    one.recipe.repeat, seed=seed if seed is not None else one.recipe.seed
                ),
            ),
        )
        if grouping.order_seed(one) is not None
        else one
        for one in settled
    ]
