"""`race()` trains many recipes at once and compares them; `grid()` makes the recipes."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from sevensteps.api.book import with_book
from sevensteps.api.race_result import Race
from sevensteps.api.run import Run
from sevensteps.api.session import end_summary, finished_run
from sevensteps.arguments import number, one_of, whole
from sevensteps.data import Data
from sevensteps.doctor.race_doctor import Examined, MemberDoctor, RaceDoctor
from sevensteps.errors import ArgumentError
from sevensteps.notation import cut
from sevensteps.racing import grouping, ray_tasks
from sevensteps.racing.grouping import LockstepPlan
from sevensteps.racing.leaderboard import group_by_recipe, leaderboard, require_same_data
from sevensteps.racing.member import Member
from sevensteps.racing.ray_cluster import cluster_address
from sevensteps.racing.ray_tasks import TaskResult
from sevensteps.racing.run_race import RaceState, prepare_race, run_race
from sevensteps.racing.successive_halving import SuccessiveHalving, require_epoch_limit
from sevensteps.record.run_folder import create, write_json
from sevensteps.record.writer import Writer
from sevensteps.training import threads
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe, as_recipe
from sevensteps.training.resolve import ResolvedRecipe
from sevensteps.view.live_picture import in_notebook
from sevensteps.view.race_progress import race_view

ORDERS = ("own", "shared")


def grid(
    data: str | Data | Recipe,
    seeds: int | Sequence[int] = 1,
    *,
    book: bool = False,
    **values: Any,
) -> list[Recipe]:
    """A recipe for every combination of values: `grid("digits", step=["sgd(lr=0.1)",
    "sgd(lr=1)"], seeds=5)` makes ten.

    A keyword is a step, or another part of a recipe, with one value or a list of values. `seeds` is
    a list of seeds, or how many, counted up from the seed of the recipe. `book` is that of `train`.

    >>> recipes = grid("xor", step=["sgd(lr=0.1)", "sgd(lr=1.0)"], seeds=2)
    >>> [(repr(recipe.step), recipe.seed) for recipe in recipes]
    [('sgd(lr=0.1)', 0), ('sgd(lr=0.1)', 1), ('sgd(lr=1.0)', 0), ('sgd(lr=1.0)', 1)]
    """
    if book:
        values = with_book(data, values)
    first = as_recipe(data, {})
    seed_list = (
        range(first.seed, first.seed + whole("seeds", seeds, at_least=1))
        if isinstance(seeds, int)
        else seeds
    )
    lists = {
        name: list(choices) if isinstance(choices, list | tuple) else [choices]
        for name, choices in values.items()
        if choices is not None
    }
    for name, choices in lists.items():
        if not choices:
            raise ArgumentError(
                f"{name} is an empty list, so there is no combination; give at least one value, "
                "or leave it out"
            )
    return [
        as_recipe(first, {**dict(zip(lists, combination, strict=True)), "seed": seed})
        for combination in itertools.product(*lists.values())
        for seed in seed_list
    ]


def race(
    recipes: Sequence[Recipe] | str | Data | Recipe,
    *,
    halve: bool = False,
    order: Literal["own", "shared"] = "own",
    data_dir: Path | str | None = None,
    out: Path | str | Literal[False] | None = None,
    watch: float = 0.02,
    diagnose: Examined = "odd",
    on: str | None = None,
    report: Callable[[Any], None] | None = None,
    **values: Any,
) -> Race:
    """Train all `recipes` at once and compare them; networks of the same shapes are trained
    together, which is faster.

    Each recipe gives what it gives alone, up to rounding. Recipes that differ in nothing but the
    seed count as one, with a spread; `grid` makes such lists, and `race("digits", step=[…],
    seeds=5)` is short for a race of `grid("digits", step=[…], seeds=5)`. With `order="shared"` all
    go through the samples in the same order, that of the first recipe's seed, which is written into
    the recipes; networks on the same batches are trained several times faster. `halve` stops the
    worse half of the recipes again and again, at ever later epochs. `out` is the folder of the race
    (default `runs/<date>-race-<name>`, False for none), with a run folder for each recipe. `watch`
    is that of `train`: the share of the time that looking may cost, which all share. `diagnose`
    says who is examined in full at the end: "odd", those that diverged, learned nothing, stay far
    behind the others or look wrong inside (8 at most); "all"; or False, nobody. `ss.diagnose(run)`
    examines any other. `report(state)` is called after each step of a group;
    a notebook shows the race in a picture, unless it is given.

    `on="ray"` trains the groups as tasks of Ray on this machine, `on="ray:HOST:PORT"` on a
    cluster; a task takes as many processors as its recipes have threads, by default one.
    `report(progress)` is then called a few times a second, and after Ctrl-C the race consists of
    the recipes that have finished.

    Raises `sevensteps.Error` for an empty list, recipes on different data, and anything that does
    not fit, before the first step.

    >>> recipes = grid("xor", step=["sgd(lr=0.01)", "sgd(lr=1.0)"], stop="epochs(200)")
    >>> result = race(recipes, out=False)
    >>> result.table[0].label, len(result.runs)
    ('sgd(lr=1.0)', 2)
    """
    if values:
        if not isinstance(recipes, str | Data | Recipe):
            raise ArgumentError(
                f"a list of recipes says all of each of them; leave {next(iter(values))}= out, or "
                "give data in place of the list, as in: ss.race('digits', step=[…, …])"
            )
        recipes = grid(recipes, **values)
    number("watch", watch, at_least=0, at_most=1)
    if diagnose is not False:
        one_of("diagnose", diagnose, ("odd", "all"))
    address = None if on is None else cluster_address(on)
    if on is not None and halve:
        raise ArgumentError(
            "halving compares all networks while they train, which tasks on several machines "
            "cannot; leave halve or on out"
        )
    resolved = resolved_recipes(recipes, order, data_dir)
    if on is not None:  # tasks run side by side: by default with one thread each
        resolved = [
            threads.with_threads(entry)
            if entry.recipe.threads
            else replace(
                entry,
                recipe=replace(
                    entry.recipe,
                    threads=1,
                    reasons={**entry.recipe.reasons, "threads": "tasks of Ray run side by side"},
                ),
            )
            for entry in resolved
        ]
        ray_tasks.require_movable(resolved)
    if halve:
        require_epoch_limit([entry.recipe for entry in resolved])
    plans = grouping.plan_groups(resolved)
    by_recipe = group_by_recipe([entry.recipe for entry in resolved]) if halve else []
    folder = None if out is False else create(out, f"race-{resolved[0].data.source}")
    names = [f"{place:0{len(str(len(resolved)))}d}" for place in range(1, len(resolved) + 1)]
    missing: list[int] = []
    train = functools.partial(train_here, diagnose=diagnose)
    try:
        if on is None:
            own_view = race_view(None if in_notebook() else False)
            with nullcontext(report) if report else own_view as view:
                runs = train(resolved, plans, folder, names, watch, halve=by_recipe, report=view)
        else:
            plans, results = ray_tasks.run_on_ray(
                resolved, plans, names, train, address, watch, folder, data_dir, report
            )
            if not results:
                raise KeyboardInterrupt("stopped before a group had finished, so nothing is saved")
            runs = [
                _run_from_task(resolved[place], results[place], folder and folder / names[place])
                for place in sorted(results)
            ]
            missing = [place for place in range(len(resolved)) if place not in results]
            plans = [
                replace(plan, numbers=[sorted(results).index(place) for place in plan.numbers])
                for plan in plans
                if plan.numbers[0] in results
            ]
    except BaseException:
        if folder is not None:
            with suppress(OSError):
                folder.rmdir()  # only where it is empty
        raise
    table = leaderboard(
        [run.recipe for run in runs], [run.outcome for run in runs], [run.history for run in runs]
    )
    result = Race(runs, table, plans, folder, missing)
    if folder is not None:
        write_json(folder / "race.json", result.to_dict())
    return result


def train_here(
    resolved: Sequence[ResolvedRecipe],
    plans: Sequence[LockstepPlan],
    folder: Path | None,
    names: Sequence[str],
    watch: float,
    diagnose: Examined = "odd",
    halve: Sequence[Sequence[int]] = (),
    report: Callable[[RaceState], None] | None = None,
) -> list[Run]:
    """Train these recipes in this process, group by group; each run has a folder of its name in
    `folder`. `halve` are the groups of members that differ only in the seed, to be halved.
    """
    state = prepare_race(resolved, plans)
    race_doctor = RaceDoctor(watch, diagnose, state) if watch else None
    doctors: Sequence[MemberDoctor | None] = (
        race_doctor.observers if race_doctor else [None] * len(resolved)
    )
    halving = (
        SuccessiveHalving([[state.members[place] for place in entry] for entry in halve])
        if halve
        else None
    )
    writers = [
        Writer(folder / name, name, doctor) if folder else None
        for name, doctor in zip(names, doctors, strict=True)
    ]
    for place, member in enumerate(state.members):
        observers: tuple[Observer | None, ...] = doctors[place], writers[place]
        member.observers = [observer for observer in observers if observer is not None]
    try:
        run_race(state, halving, report)
    finally:
        for writer in writers:
            if writer is not None:
                writer.close()
    return [
        _finished(member, writers[place], doctors[place])
        for place, member in enumerate(state.members)
    ]


def _finished(member: Member, writer: Writer | None, doctor: MemberDoctor | None) -> Run:
    assert member.ended is not None
    with threads.threads(member.training.recipe.threads or 1):
        run = finished_run(
            member.training,
            end_summary(member.training, member.ended, writer, doctor),
            writer,
            doctor,
        )
    if doctor is not None and doctor.after is None:
        run.unexamined = doctor.case
    return run


def _run_from_task(recipe: ResolvedRecipe, result: TaskResult, folder: Path | None) -> Run:
    """The run of a recipe whose training came back from a task of Ray."""
    best = ray_tasks.load_weights(copy.deepcopy(recipe.network), result.best)
    return Run(
        recipe.recipe,
        result.summary,
        result.history,
        folder,
        ray_tasks.load_weights(recipe.network, result.last),
        best,
        recipe.output,
        recipe.data.inputs,
    )


def resolved_recipes(recipes: Any, order: str, data_dir: Path | str | None) -> list[ResolvedRecipe]:
    """The recipes with every choice made and checked to be on the same data; with a shared `order`
    of the samples written into them.
    """
    if isinstance(recipes, str) or not isinstance(recipes, Sequence):
        raise ArgumentError(
            f"a race takes a list of recipes, not {cut(repr(recipes))}; write "
            "ss.race(data, step=[…, …])"
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
    resolved = grouping.resolve_all([*recipes], data_dir)
    require_same_data(
        [entry.recipe for entry in resolved], [entry.data.digest for entry in resolved]
    )
    if order == "own":
        return resolved
    seed = grouping.order_seed(resolved[0])
    return [
        replace(
            entry,
            recipe=replace(
                entry.recipe,
                repeat=replace(
                    entry.recipe.repeat, seed=seed if seed is not None else entry.recipe.seed
                ),
            ),
        )
        if grouping.order_seed(entry) is not None
        else entry
        for entry in resolved
    ]
